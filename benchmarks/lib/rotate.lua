-- For wrk: one GET after the other, each with the next line of a file as its headers (tabs part them). At the
-- end a line of JSON. The generator's own CPU time is in it: where it nears the duration, it was the bottleneck.

local requests, at = {}, 0

function init(args)
  local first = 'GET ' .. wrk.path .. ' HTTP/1.1\r\nHost: ' .. wrk.host .. ':' .. wrk.port
  for line in io.lines(args[1]) do
    local headers = line == '' and '' or '\r\n' .. line:gsub('\t', '\r\n')
    requests[#requests + 1] = first .. headers .. '\r\n\r\n'
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout + errors.status
  local line = '{"requests":%d,"micros":%d,"bytes":%d,"failed":%d,"p50":%d,"p99":%d,"cpu":%.3f}\n'
  io.write(line:format(summary.requests, summary.duration, summary.bytes, failed,
    latency:percentile(50), latency:percentile(99), os.clock()))
end
