// Opens a report in headless Chromium, uses it as a reader does, and prints what came of it as JSON.
//
//     node page.js CHROMIUM PAGE.html PROFILE_FOLDER [SCREENSHOT_PREFIX]
'use strict';
const {spawn} = require('child_process');
const fs = require('fs');
const [chromium, page, profile, shots] = process.argv.slice(2);
const browser = spawn(chromium, ['--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-pipe',
  '--user-data-dir=' + profile, 'about:blank'], {stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe']});
const [to, from] = [browser.stdio[3], browser.stdio[4]];
let last = 0, buffer = '', session;
const waiting = new Map(), heard = [], complaints = [], requests = [];
from.on('data', (data) => {
  buffer += data;
  for (let end; (end = buffer.indexOf('\0')) >= 0; buffer = buffer.slice(end + 1)) {
    const message = JSON.parse(buffer.slice(0, end));
    if (message.id) {
      waiting.get(message.id)(message);
      continue;
    }
    const {method, params} = message;
    if (method === 'Runtime.consoleAPICalled' || method === 'Runtime.exceptionThrown' || method === 'Log.entryAdded') complaints.push(JSON.stringify(params));
    if (method === 'Network.requestWillBeSent' && !params.request.url.startsWith('data:')) requests.push(params.request.url);
    heard.filter((one) => one.method === method).forEach((one) => one.resolve());
  }
});
function call(method, params) {
  to.write(JSON.stringify({id: ++last, method, params: params || {}, sessionId: session}) + '\0');
  return new Promise((resolve, reject) => waiting.set(last, (answer) => answer.error ? reject(new Error(method + ': ' + answer.error.message)) : resolve(answer.result)));
}
const event = (method) => new Promise((resolve) => heard.push({method, resolve}));
async function run(expression) {
  const {result, exceptionDetails} = await call('Runtime.evaluate', {expression, returnByValue: true, awaitPromise: true});
  if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
  return result.value;
}
const USE = `(function () {
  const table = document.querySelector('.data table'), text = (at) => Array.from(table.tBodies[0].rows, (row) => row.cells[at].firstChild ? row.cells[at].firstChild.textContent : '');
  const heads = Array.from(table.tHead.rows[0].cells), at = heads.findIndex((head) => head.className === 'n');
  const search = document.querySelector('.data input'), seen = {};
  const timed = (act) => { const start = performance.now(); act(); document.body.offsetHeight; return performance.now() - start; };
  seen.rows = table.tBodies[0].rows.length;
  seen.sort_ms = timed(() => heads[at].querySelector('button').click());
  seen.ascending = text(at).slice(0, 20);
  heads[at].querySelector('button').click();
  seen.descending = text(at).slice(0, 20);
  seen.aria = heads[at].getAttribute('aria-sort');
  search.value = 'SCRIPT';
  seen.filter_ms = timed(() => search.dispatchEvent(new Event('input')));
  seen.found = table.tBodies[0].rows.length;
  search.value = '';
  search.dispatchEvent(new Event('input'));
  const failed = document.querySelector('#sources [type=checkbox]');
  failed.click();
  seen.failed = Array.from(document.querySelectorAll('.s')).filter((one) => !one.hidden).length;
  failed.click();
  const link = document.querySelector('.verdict a');
  link.click();
  seen.target = link.getAttribute('href');
  return seen;
})()`;
(async () => {
  const {targetId} = await call('Target.createTarget', {url: 'about:blank'});
  session = (await call('Target.attachToTarget', {targetId, flatten: true})).sessionId;
  for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await call(domain + '.enable');
  const start = Date.now(), loaded = event('Page.loadEventFired');
  await call('Page.navigate', {url: 'file://' + page});
  await loaded;
  await run('new Promise((done) => requestAnimationFrame(() => setTimeout(done)))');
  const load_ms = Date.now() - start;
  const wide = {};
  for (const [name, width, height, scheme] of [['desktop', 1280, 1400, 'light'], ['desktop-dark', 1280, 1400, 'dark'], ['phone', 390, 1100, 'light'], ['phone-dark', 390, 1100, 'dark']]) {
    await call('Emulation.setDeviceMetricsOverride', {width, height, deviceScaleFactor: 1, mobile: width < 500});
    await call('Emulation.setEmulatedMedia', {features: [{name: 'prefers-color-scheme', value: scheme}]});
    wide[name] = await run('document.documentElement.scrollWidth');
    if (shots) fs.writeFileSync(shots + name + '.png', Buffer.from((await call('Page.captureScreenshot')).data, 'base64'));
  }
  const {data} = await call('Page.printToPDF', {});
  if (shots) fs.writeFileSync(shots + 'print.pdf', Buffer.from(data, 'base64'));
  const seen = await run(USE);
  seen.open = await run("new Promise((done) => setTimeout(() => done(document.querySelector('" + seen.target + "').open)))");
  console.log(JSON.stringify({load_ms, wide, printed: data.length, seen, complaints, requests: requests.filter((url) => url !== 'file://' + page)}));
  await call('Browser.close').catch(() => {});
  process.exit(0);
})().catch((error) => { console.error(error.stack); browser.kill(); process.exit(1); });
