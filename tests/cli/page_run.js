/* Open a certificate's page as a browser would, but for the drawing: what is in the file is parsed no further than
 * its two script elements, the script runs against a small DOM that knows no markup, and what it built is printed
 * as one JSON object.
 *
 *     node page_run.js PAGE [--no-ed25519]
 *     {"word","text","checks":[[state,what,why]],"tags":[...]}
 */
'use strict';
const fs = require('fs'), vm = require('vm'), crypto = require('crypto');
const html = fs.readFileSync(process.argv[2], 'utf8');
const scripts = [...html.matchAll(/<script([^>]*)>([^]*?)<\/script>/g)].map((m) => ({attributes: m[1], text: m[2]}));
if (scripts.length !== 2 || html.split('<script').length !== 3) throw new Error('the page has other than two script elements');
const [data, program] = scripts;

// What a browser's content security policy would refuse.
const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html)[1];
const hash = crypto.createHash('sha256').update(program.text).digest('base64');
if (!policy.includes("default-src 'none'") || !policy.includes(`script-src 'sha256-${hash}'`)) throw new Error('the policy does not let this script run: ' + policy);

const tags = new Set();
class Node {
    constructor(tag, text) { this.tag = tag; this.own = text; this.children = []; this.attributes = {}; this.className = ''; }
    append(...nodes) {
        for (const node of nodes) if (!(node instanceof Node)) throw new Error('appended what is no node');
        this.children.push(...nodes);
    }
    setAttribute(name, value) {
        if (/^on|^src|^href|^style/i.test(name)) throw new Error('the attribute ' + name);
        this.attributes[name] = String(value);
    }
    get textContent() { return this.own !== undefined ? this.own : this.children.map((c) => c.textContent).join('\n'); }
    set innerHTML(markup) { throw new Error('markup'); }
    find(name) { return (this.className.split(' ').includes(name) ? [this] : []).concat(...this.children.map((c) => c.find(name))); }
}
const make = (tag) => { tags.add(tag); return new Node(tag); };
const page = new Node('main'), body = new Node('body');
const document = {
    body,
    getElementById: (id) => (id === 'page' ? page : id === 'data' ? new Node('script', data.text) : null),
    createElement: make,
    createElementNS: (space, tag) => make(tag),
    createTextNode: (text) => new Node('#text', String(text)),
};
const web = process.argv[3] === '--no-ed25519'
    ? {subtle: {importKey: () => Promise.reject(Object.assign(new Error('no'), {name: 'NotSupportedError'}))}} : crypto.webcrypto;
process.removeAllListeners('warning');
vm.runInNewContext(program.text, {document, crypto: web, TextEncoder, Uint8Array, Date}, {filename: 'page.js'});
process.on('beforeExit', () => {
    const line = (li) => [li.className, li.children[1].textContent, li.children[2].textContent];
    const lists = page.find('checks');
    process.stdout.write(JSON.stringify({word: body.attributes['data-word'], text: page.textContent, tags: [...tags].sort(),
        checks: lists.length > 0 ? lists[0].children.map(line) : []}));
    process.exit(0);
});
