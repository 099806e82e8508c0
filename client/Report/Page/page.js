// The page is whole without this: it only sorts tables and marks the same cell wherever it stands.
(() => {
  'use strict';
  const mark = key => document.querySelectorAll('[data-key]').forEach(e => e.classList.toggle('marked', key !== null && e.dataset.key === key));
  document.addEventListener('pointerover', event => {
    const at = event.target instanceof Element ? event.target.closest('[data-key]') : null;
    mark(at && at.dataset.key.startsWith('c') ? at.dataset.key : null);
  });
  const value = (row, column) => {
    const cell = row.children[column];
    if (!cell) return null;
    return cell.dataset.v !== undefined ? Number(cell.dataset.v) : cell.textContent.trim();
  };
  const compare = (a, b) => {
    const numbers = typeof a === 'number' && typeof b === 'number';
    if (numbers) return a - b;
    // What has no number stays below what has one.
    if (typeof a === 'number') return -1;
    if (typeof b === 'number') return 1;
    return String(a).localeCompare(String(b), 'en', { numeric: true });
  };
  document.querySelectorAll('table.data').forEach(table => {
    const heads = [...table.tHead.rows[0].cells];
    const first = new Map([...table.tBodies].map(body => [body, [...body.rows]]));
    heads.forEach((head, column) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener('click', () => {
        const next = { none: 'ascending', ascending: 'descending', descending: 'none' }[head.getAttribute('aria-sort') || 'none'];
        heads.forEach(h => h.removeAttribute('aria-sort'));
        if (next !== 'none') head.setAttribute('aria-sort', next);
        first.forEach((rows, body) => {
          const order = [...rows];
          if (next !== 'none') {
            const title = order[0].classList.contains('group') ? order.shift() : null;
            order.sort((a, b) => compare(value(a, column), value(b, column)) * (next === 'ascending' ? 1 : -1));
            if (title) order.unshift(title);
          }
          body.append(...order);
        });
      });
    });
  });
})();
