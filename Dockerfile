# The user center. One stage builds it, and another runs it: without the build tools, and not as root.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The workspace that npm links, and the command in it.
COPY plugins/package.json ./plugins/
COPY plugins/bin ./plugins/bin
RUN npm ci
COPY . .
RUN npm run build && npm prune --omit=dev

FROM node:24-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000
WORKDIR /app
COPY --from=build --chown=root:root /app/package.json ./
COPY --from=build --chown=root:root /app/node_modules ./node_modules
COPY --from=build --chown=root:root /app/plugins/package.json ./plugins/
COPY --from=build --chown=root:root /app/plugins/bin ./plugins/bin
COPY --from=build --chown=root:root /app/plugins/dist ./plugins/dist
COPY --from=build --chown=root:root /app/scripts/start-options.cjs ./scripts/
COPY --from=build --chown=root:root /app/dist ./dist
USER node
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s CMD ["node", "-e", "fetch('http://127.0.0.1:'+process.env.PORT+'/healthz').then((r)=>process.exit(r.ok?0:1),()=>process.exit(1))"]
CMD ["node_modules/.bin/fastify", "start", "--options", "--config", "scripts/start-options.cjs", "dist/app.js"]
