'use strict';
(function () {
  var collator = new Intl.Collator(undefined, {numeric: true});
  var SHOWN = 1000;
  function element(name, attributes, parent) {
    var svg = name === 'svg' || name === 'rect' || name === 'line';
    var made = svg ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);
    for (var key in attributes) made.setAttribute(key, attributes[key]);
    return parent ? parent.appendChild(made) : made;
  }
  function number(text) { return text.trim() === '' ? NaN : Number(text); }
  function compare(one, other, down) {
    if (one === other) return 0;
    if (one === '') return 1;
    if (other === '') return -1;
    var a = number(one), b = number(other), order;
    if (isNaN(a) !== isNaN(b)) return isNaN(a) ? 1 : -1;
    order = isNaN(a) || a === b ? collator.compare(one, other) : a - b;
    return down ? -order : order;
  }
  function bar(cell, head) {
    var low = Number(head.dataset.low), high = Number(head.dataset.high), value = number(cell.textContent);
    if (isNaN(value) || high <= low) return;
    var place = function (v) { return (v - low) / (high - low) * 100; };
    var from = Math.min(place(0), place(value)), to = Math.max(place(0), place(value));
    var svg = element('svg', {'class': 'bar', 'aria-hidden': 'true'}, cell);
    element('rect', {x: from + '%', width: Math.max(to - from, 0.5) + '%', height: '100%', 'class': value < 0 ? 'neg' : ''}, svg);
  }
  function setUp(section) {
    var table = section.querySelector('table'), body = table.tBodies[0];
    var heads = Array.from(table.tHead.rows[0].cells), rest = section.querySelector('script');
    var rows = Array.from(body.rows, function (tr) {
      return {tr: tr, cells: Array.from(tr.cells, function (td) { return td.textContent; })};
    });
    if (rest) JSON.parse(rest.textContent).forEach(function (cells) { rows.push({tr: null, cells: cells}); });
    var order = rows.slice(), shown = SHOWN, tools = section.querySelector('.tools');
    var search = tools.querySelector('input'), count = tools.querySelector('output');
    var more = element('button', {type: 'button', 'class': 'more'}, section);
    more.hidden = true;
    function make(row) {
      if (row.tr) return row.tr;
      row.tr = element('tr');
      row.cells.forEach(function (text, at) {
        var head = heads[at], cell = element('td', head.className ? {'class': head.className} : {dir: 'auto'}, row.tr);
        cell.textContent = text;
        if ('low' in head.dataset) bar(cell, head);
      });
      return row.tr;
    }
    function matching() {
      var wanted = search.value.toLowerCase();
      if (!wanted) return order;
      return order.filter(function (row) {
        if (row.text === undefined) row.text = row.cells.join('\n').toLowerCase();
        return row.text.indexOf(wanted) >= 0;
      });
    }
    function draw() {
      var found = matching(), part = document.createDocumentFragment();
      found.slice(0, shown).forEach(function (row) { part.appendChild(make(row)); });
      body.replaceChildren(part);
      count.textContent = found.length === rows.length ? rows.length + ' rows' : found.length + ' of ' + rows.length + ' rows';
      more.hidden = found.length <= shown;
      more.textContent = 'Show more of the ' + (found.length - shown) + ' rows below';
    }
    heads.forEach(function (head, at) {
      var name = head.textContent, button = element('button', {type: 'button'});
      button.textContent = name;
      head.replaceChildren(button);
      button.addEventListener('click', function () {
        var down = head.getAttribute('aria-sort') === 'ascending';
        heads.forEach(function (other) { other.removeAttribute('aria-sort'); });
        head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
        order.sort(function (one, other) { return compare(one.cells[at] || '', other.cells[at] || '', down); });
        draw();
      });
    });
    search.addEventListener('input', function () { shown = SHOWN; draw(); });
    more.addEventListener('click', function () { shown += SHOWN; draw(); });
    tools.hidden = rows.length < 2;
    if (rest) draw(); else count.textContent = rows.length + ' rows';
  }
  document.querySelectorAll('.data').forEach(setUp);
  var sources = document.getElementById('sources'), tools = sources && sources.querySelector('.tools');
  if (tools) {
    var all = Array.from(sources.querySelectorAll('.s')), search = tools.querySelector('[type=search]');
    var failed = tools.querySelector('[type=checkbox]'), count = tools.querySelector('output');
    var filter = function () {
      var wanted = search.value.toLowerCase(), found = 0;
      all.forEach(function (source) {
        var hit = (!failed.checked || source.classList.contains('no')) &&
          source.firstElementChild.textContent.toLowerCase().indexOf(wanted) >= 0;
        source.hidden = !hit;
        found += hit ? 1 : 0;
      });
      count.textContent = found === all.length ? '' : found + ' of ' + all.length;
    };
    search.addEventListener('input', filter);
    failed.addEventListener('change', filter);
    tools.hidden = all.length < 2;
  }
  function open() {
    var at = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (at && at.tagName === 'DETAILS') { at.hidden = false; at.open = true; at.scrollIntoView(); }
  }
  window.addEventListener('hashchange', open);
  open();
})();
