/** Texts of the pages by which another site posts to the lab. */
export const TEXTS = {
  otherTitle: { en: 'Another site', zh: '另一个网站' },
  otherIntro: {
    en: 'For your browser this page is another site, because its host name differs from the lab’s. It sends requests to the lab. For this test, the lab has given your browser throwaway cookies, which sign nobody in.',
    zh: '这个页面的主机名与实验室不同，所以浏览器把它当作另一个网站。它会向实验室发送请求。为此，实验室给了您的浏览器几个一次性的 Cookie，它们不代表任何登录。',
  },
  thisPage: { en: 'This page', zh: '本页面' },
  theLab: { en: 'The lab', zh: '实验室' },
  post: { en: 'Post a form to the lab', zh: '向实验室提交表单' },
  follow: { en: 'Follow a link to the lab', zh: '点击链接前往实验室' },
  arrivedTitle: { en: 'What arrived at the lab', zh: '到达实验室的请求' },
  passes: {
    en: 'The same-origin check lets this request through.',
    zh: '同源检查放行了这个请求。',
  },
  refused: {
    en: 'The same-origin check refuses this request: 403 CROSS_SITE.',
    zh: '同源检查拒绝了这个请求：403 CROSS_SITE。',
  },
  request: { en: 'Request', zh: '请求' },
  cookie: { en: 'Cookie', zh: 'Cookie' },
  arrived: { en: 'Arrived', zh: '是否到达' },
  yes: { en: 'yes', zh: '是' },
  no: { en: 'no', zh: '否' },
  unset: { en: 'not set', zh: '未设置' },
  defaultNote: {
    en: 'Browsers treat a cookie without SameSite as Lax. Chromium still sends it with a cross-site form during its first two minutes, so set SameSite yourself.',
    zh: '浏览器把没有设置 SameSite 的 Cookie 当作 Lax。但在设置后的两分钟内，Chromium 仍会随跨站表单发送它，所以请自己设置 SameSite。',
  },
  own: { en: 'Post the same form from this page', zh: '从本页面提交同样的表单' },
  again: { en: 'Once more from the other site', zh: '从另一个网站再试一次' },
  back: { en: 'Back to the lab', zh: '返回实验室' },
} as const
