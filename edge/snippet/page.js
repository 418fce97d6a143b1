// The snippet: asks for the visitor's own numbers and shows them in place of the page's.
// On any failure the page stays as it was, and nothing is ever thrown into it (docs/snippet.md).
// Served by edge/snippet/script.py, which squeezes it and fills in the two words below.
(function () {
  try { snippet('CAMPAIGN_ID', 'HOST'); } catch (error) { return; }

function snippet(campaign, host) {
  'use strict';
  const win = window, doc = document;
  const asked = (name) => location.search.includes('edge_' + name + '=1');
  const debug = asked('debug');
  const trace = (...words) => { if (debug) console.trace('[edge]', ...words); };
  const safely = (work) => (...given) => {
    try { return work(...given); } catch (error) { trace('failed', error); }
  };
  const clock = () => performance.now();
  const on = (where, what, work) => where.addEventListener(what, safely(work), { capture: true, passive: true });

  // -- the visitor ---------------------------------------------------------------------------------

  // Fragments are nobody's business: some sites keep secrets there.
  const bare = (url) => url.split('#')[0].slice(0, 2000);
  const page = bare(location.href);

  // The visitor's id and first address on this site, in the first storage that the browser grants.
  function remembered() {
    const key = 'edge_visitor', known = /^[0-9a-f]{32} /, forget = asked('reset');
    let fresh = '';
    for (const byte of crypto.getRandomValues(new Uint8Array(16))) fresh += (byte + 256).toString(16).slice(1);
    fresh += ' ' + page;
    try {
      if (forget || !known.test(localStorage.getItem(key))) localStorage.setItem(key, fresh);
      return localStorage.getItem(key);
    } catch (blocked) {
      safely(() => {
        const kept = decodeURIComponent((/edge_visitor=([^;]*)/.exec(doc.cookie) || '')[1]);
        if (!forget && known.test(kept)) fresh = kept;
        else {
          doc.cookie = key + '=' + encodeURIComponent(fresh.slice(0, 1200)) + ';path=/;max-age=31536000;samesite=lax';
        }
      })();
      return fresh;
    }
  }

  // -- the server ----------------------------------------------------------------------------------

  const refused = () => win.edgeConsent === false;
  // Pages may have given arrays and strings a toJSON of their own: the plain value goes.
  const plain = (value) => JSON.stringify(value, function (key) { return this[key]; });

  // A string goes as text/plain, which needs no preflight.
  function post(path, said, answered, gone) {
    if (refused()) return;
    trace('asks', path);
    fetch(host + '/t/' + path, { method: 'POST', body: plain(said), credentials: 'omit', keepalive: true })
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer.status)))
      .then(safely(answered)).catch(safely((reason) => {
        trace(path, 'failed', reason);
        // What the page has pushed goes with the next request.
        pending = Object.assign({}, said.tags, pending);
        if (reason === 404) gone();
      }));
  }

  const shown = new Map(), former = new Map();
  const present = () => [...shown.values()];
  const leased = () => present().filter((tag) => tag.is_pool && tag.impression_id);
  let visitor, first, lastBeat, beatAt, timer, over, pending = {};

  // What the page has pushed since the last request.
  function handed() {
    const extra = pending;
    pending = {};
    return extra;
  }

  function ask() {
    post(campaign + '/numbers', {
      visitor_id: visitor, page_url: page, first_url: first, referrer: bare(doc.referrer), tags: handed(),
      screen: screen.width + 'x' + screen.height, language: navigator.language,
    }, take, () => { over = true; });
  }

  // An answer tells of all tags, or of those that have changed.
  function take(answer) {
    trace('answer', answer);
    let changed = false;
    for (const tag of answer.tags || []) {
      if (!tag.e164) continue;
      const before = shown.get(tag.tag_id);
      if (!before) former.set(tag.tag_id, [tag.number_to_replace]);
      else if (before.e164 !== tag.e164) former.get(tag.tag_id).push(before.e164);
      changed = changed || !before || before.e164 + before.open_now !== tag.e164 + tag.open_now;
      shown.set(tag.tag_id, tag);
    }
    if (changed) {
      compile();
      renew(doc);
      edgeTags.tags = present();
      edgeTags.open_now = present().some((tag) => tag.open_now);
      doc.documentElement.setAttribute('data-edge-open', edgeTags.open_now);
      doc.dispatchEvent(new CustomEvent('edge:numbers', { detail: edgeTags }));
    }
    if (Object.keys(pending).length) beatIn(1000);
  }

  // -- beats, while the page is used ---------------------------------------------------------------

  function beatIn(wait) {
    if (timer && beatAt <= clock() + wait) return;
    clearTimeout(timer);
    beatAt = clock() + wait;
    timer = setTimeout(safely(beat), wait);
  }

  const word = (tag, extra) => ({ visitor_id: visitor, generation: tag.generation, tags: extra });

  function beat() {
    timer = 0;
    lastBeat = clock();
    if (!shown.size) return ask();
    const extra = handed();
    for (const tag of leased()) {
      const path = 'impressions/' + tag.impression_id + '/activity';
      post(path, word(tag, extra), take, () => { tag.impression_id = 0; });
    }
  }

  // Pages scroll and move by themselves: only what the visitor does counts.
  function used(event) {
    const moved = event.type !== 'mousemove' || event.movementX || event.movementY;
    if (event.isTrusted && moved && !over && !doc.hidden) beatIn(lastBeat + 15000 - clock());
  }

  function closed() {
    for (const tag of refused() ? [] : leased()) {
      const beacon = (what, extra) =>
        navigator.sendBeacon(host + '/t/impressions/' + tag.impression_id + '/' + what, plain(word(tag, extra)));
      if (timer) beacon('activity', pending);
      beacon('close', {});
    }
    clearTimeout(timer);
    timer = 0;
  }

  const edgeTags = {
    push: safely((...items) => {
      for (const item of items) {
        for (const key of Object.keys(item)) {
          if (item[key] != null && plain(pending).length < 2000) pending[key] = String(item[key]).slice(0, 1000);
        }
      }
      if (shown.size) beatIn(1000);
    }),
  };

  // -- finding a number, in any dress --------------------------------------------------------------

  const BETWEEN = '\\s()./\\xad\\xb7\\u200b-\\u2069\\u2212-';
  const GAP = '[' + BETWEEN + ']*';
  const CODE = /^\+(1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})(\d+)$/;
  // Digits ahead, or another country's code, make it another number.
  const OTHER = new RegExp('\\d[.-]?$|\\+[\\d' + BETWEEN + ']*$');
  let rules = [];

  // What is shown no more gives way to what is shown now; what is shown is left alone.
  function compile() {
    const numbers = present().map((tag) => tag.e164);
    rules = [];
    for (const tag of present()) {
      for (const old of former.get(tag.tag_id)) {
        const was = CODE.exec(old), is = CODE.exec(tag.e164);
        if (was && is && !numbers.includes(old)) rules.push(rule(tag, was[1], was[2], is[1], is[2]));
      }
    }
  }

  // Finds one number in a text, and adds [start, end, new text] for each place to what was found.
  function rule(tag, oldCode, oldDigits, code, digits) {
    const same = oldCode === code, fits = oldDigits.length === digits.length;
    const trunk = oldCode === '1' ? '' : '|(?:' + (oldCode === '7' ? 8 : 0) + GAP + ')';
    // Ahead of the national digits: a parenthesis; international prefix, code, (0); or the trunk's 0.
    const prefix = new RegExp('(\\(?)(?:((?:(?:\\+|00|011)' + GAP + ')?)' + oldCode +
      '(' + GAP + '(?:\\(0\\)' + GAP + ')?)' + trunk + ')?$');
    // A NUL is where one element ends and another begins.
    const national = new RegExp(oldDigits.split('').join('[\\0' + BETWEEN + ']*'), 'g');

    // The new number in the dress of the old one, or its own where that does not fit.
    function dressed([head, open, ahead, behind], written, link) {
      const coded = behind !== undefined, old = head + written;
      let next = 0, own = tag.formatted;
      const poured = written.replace(/\d/g, () => digits[next++]);
      if (link && old.includes('+')) return tag.e164;
      if (fits && same) return head + poured;
      if (fits && coded && !behind.includes('0')) return open + ahead + code + behind + poured;
      if (coded) own = '+' + code + ' ' + (new RegExp('\\(?' + digits.split('').join('\\D*')).exec(own) || digits);
      if (link) return own.replace(/[^\d+]/g, '');
      return (open && !old.includes(')') ? '(' : '') + own;
    }

    return (text, link, found) => {
      let hit;
      national.lastIndex = 0;
      while ((hit = national.exec(text))) {
        const start = hit.index, end = start + hit[0].length, front = text.slice(0, start).slice(-24);
        let head = prefix.exec(front);
        if (/\d$/.test(front.slice(0, head.index))) head = /(\(?)$/.exec(front);
        if (OTHER.test(front.slice(0, head.index)) || /^[.-]?\d/.test(text.slice(end, end + 2))) {
          national.lastIndex = start + 1;
        } else found.push([start - head[0].length, end, dressed(head, hit[0], link)]);
      }
    };
  }

  // Every replacement in a text, in order; of two in one place the first tag's.
  function swaps(text, link) {
    const found = [];
    for (const rule of rules) rule(text, link, found);
    return found.sort((a, b) => a[0] - b[0]).filter((swap, i, all) => !i || swap[0] >= all[i - 1][1]);
  }

  // -- putting it on the page ----------------------------------------------------------------------

  const words = (text) => new Set(text.split(' '));
  const INLINE = words('a abbr b bdi cite code em font i ins label mark q s small span strong sub sup time tspan u');
  const SKIPPED = words('script style textarea noscript');
  const BUTTON = 'input[type=button i],input[type=submit i],input[type=reset i]';
  const NAMES = ['aria-label', 'title', 'alt', 'placeholder', 'value', 'href'];
  const MARKED = '[aria-label],[title],[alt],[placeholder],[href^="tel:" i],[href^="sms:" i],' + BUTTON;
  let text, pieces, roots, count;

  // The text below a node in one line, and where each text node stands in it.
  function gather(node, near) {
    for (const child of node.childNodes) {
      if (child.nodeType === 3) {
        pieces.push([child, text.length, child.data.length]);
        text += child.data;
      } else if (child.nodeType === 1) {
        const name = child.localName, apart = !INLINE.has(name);
        if (apart) text += '\0';
        // 'true' and 'plaintext-only' come after 'inherit': the visitor writes there.
        if (!SKIPPED.has(name) && !(child.contentEditable > 'inherit')) {
          look(child);
          if (!near || !apart) gather(child, near);
        }
        if (apart) text += '\0';
      }
    }
  }

  // Open shadow roots now, and those of elements that are defined later.
  function look(element) {
    if (element.shadowRoot) roots.push(element.shadowRoot);
    else if (element.localName.includes('-') && element.matches(':not(:defined)')) {
      customElements.whenDefined(element.localName).then(safely(() => note(element)));
    }
  }

  // Everything below a node; ``near`` leaves out what is no part of its own lines.
  function renew(node, near) {
    if (!rules.length || SKIPPED.has(node.localName) || node.isContentEditable) return;
    const began = clock();
    text = '';
    pieces = [];
    roots = [];
    count = 0;
    if (node.localName) look(node);
    gather(node, near);
    let last = pieces.length - 1;
    for (const [start, end, put] of swaps(text).reverse()) {
      while (pieces[last][1] >= end) last--;
      for (let i = last; i >= 0 && pieces[i][1] + pieces[i][2] > start; i--) {
        const at = pieces[i][1], low = Math.max(start, at), high = Math.min(end, at + pieces[i][2]);
        const part = put.length === end - start ? put.slice(low - start, high - start) : at <= start ? put : '';
        pieces[i][0].replaceData(low - at, high - low, part);
      }
      count++;
    }
    if (!near) {
      dress(node);
      node.querySelectorAll(MARKED).forEach(dress);
    }
    trace('replaced', count, 'in', clock() - began, 'ms');
    observer.observe(node.getRootNode(), {
      subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: NAMES,
    });
    // What we have written ourselves is no news.
    observer.takeRecords();
    roots.forEach((root) => renew(root));
  }

  const dress = safely((element) => {
    if (element.nodeType !== 1) return;
    for (const name of NAMES) {
      const old = element.getAttribute(name);
      if (!old || (name === 'value' && !element.matches(BUTTON))) continue;
      const link = name === 'href', parts = (link ? /^(tel:|sms:)([^?;]*)(.*)/i : /()([^]*)()/).exec(old);
      if (!parts) continue;
      let value = link ? decodeURIComponent(parts[2]) : old;
      const found = swaps(value, link);
      for (const [start, end, put] of found.reverse()) value = value.slice(0, start) + put + value.slice(end);
      if (found.length) element.setAttribute(name, parts[1] + (link ? encodeURI(value) : value) + parts[3]);
      count += found.length;
    }
  });

  // -- what comes later ----------------------------------------------------------------------------

  const touched = new Set();
  let due, noted = new Set();

  // Before the next paint; hidden pages do not paint.
  function note(node, into) {
    (into || noted).add(node);
    if (due) return;
    due = setTimeout(safely(settle), 200);
    requestAnimationFrame(safely(settle));
  }

  const observer = new MutationObserver(safely((records) => {
    for (const record of records) {
      if (record.type === 'attributes') note(record.target, touched);
      else if (record.type === 'characterData') note(record.target);
      else record.addedNodes.forEach((node) => note(node));
    }
  }));

  function settle() {
    clearTimeout(due);
    due = 0;
    // Much that is new is quicker looked at as one.
    const batch = noted.size > 30 ? new Set([doc]) : noted, lines = new Set();
    noted = new Set();
    for (const node of batch) {
      if (!node.isConnected || batch.has(node.parentNode)) continue;
      if (node.querySelectorAll) renew(node);
      // A number may go on beside what was added.
      let line = node.parentNode;
      while (line && INLINE.has(line.localName)) line = line.parentNode;
      if (node.nodeType === 3 || INLINE.has(node.localName)) lines.add(line);
    }
    lines.forEach((line) => renew(line, true));
    touched.forEach(dress);
    touched.clear();
    observer.takeRecords();
  }

  // -- the first snippet of a page runs, once the page is seen and its visitor agrees -----------------

  function start() {
    if (doc.prerendering) return on(doc, 'prerenderingchange', start);
    if (refused()) return on(doc, 'edge:consent', start);
    if (visitor) return;
    [visitor, first] = remembered().split(' ');
    lastBeat = clock();
    ask();
    for (const what of ['mousemove', 'mousedown', 'keydown', 'wheel', 'touchstart']) on(win, what, used);
    on(doc, 'visibilitychange', used);
    on(win, 'pageshow', (event) => { if (event.persisted) used(event); });
    on(win, 'pagehide', closed);
  }

  safely(() => {
    const winner = win.edgeSnippet;
    if (typeof winner === 'string') {
      console.warn('[edge] one snippet a page: ' + winner + ' runs, ' + campaign + ' does not');
      return post(campaign + '/duplicate-snippet', { page_url: page, first_campaign_id: winner }, trace, trace);
    }
    win.edgeSnippet = campaign;
    const queued = win.edgeTags;
    win.edgeTags = edgeTags;
    if (Array.isArray(queued)) edgeTags.push(...queued);
    start();
  })();
}
})();
