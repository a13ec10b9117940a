// The console in the browser: live rows and bars from the event stream, logs, banners, themes and dialogs. Pages work
// without it, except for what is live. Texts from the cluster are only ever set as textContent or parsed from pages that
// the master has escaped.
'use strict';
(() => {
  const $ = (selector, root) => (root || document).querySelector(selector);
  const $$ = (selector, root) => [...(root || document).querySelectorAll(selector)];
  const body = document.body;
  document.documentElement.classList.add('scripted');

  // Times.
  const span = (s) => s < 60 ? `${Math.max(0, Math.floor(s))}s` : s < 3600 ? `${Math.floor(s / 60)}m ${String(Math.floor(s % 60)).padStart(2, '0')}s`
    : s < 172800 ? `${Math.floor(s / 3600)}h ${String(Math.floor(s % 3600 / 60)).padStart(2, '0')}m` : `${Math.floor(s / 86400)}d`;
  const tick = () => $$('time[datetime]').forEach((t) => {
    const s = (Date.now() - Date.parse(t.dateTime)) / 1000;
    t.textContent = s < -60 ? `in ${span(-s)}` : s < 5 ? 'just now' : `${span(s)} ago`;
  });
  setInterval(tick, 5000);

  // Theme.
  $('#theme').addEventListener('click', () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    document.cookie = `ffrtmp-theme=${root.dataset.theme}; path=/ui/; max-age=31536000; samesite=strict`;
  });

  const here = $('.pages [aria-current]');
  if (here) here.scrollIntoView({ block: 'nearest', inline: 'center' });

  // Dialogs, notices, keys.
  const ask = $('#ask');
  let asking = null;
  document.addEventListener('submit', (e) => {
    const text = (e.submitter && e.submitter.dataset.confirm) || e.target.dataset.confirm;
    if (!text || e.target === asking) return;
    e.preventDefault();
    const submitter = e.submitter;
    $('#ask-text').textContent = text;
    ask.returnValue = '';
    ask.onclose = () => {
      if (ask.returnValue !== 'yes') return;
      asking = e.target;
      e.target.requestSubmit(submitter);
      asking = null;
    };
    ask.showModal();
  });
  document.addEventListener('click', (e) => {
    const dismiss = e.target.closest('[data-dismiss]');
    if (dismiss) dismiss.parentElement.remove();
    $$('details.user[open]').forEach((d) => { if (!d.contains(e.target)) d.open = false; });
  });
  document.addEventListener('keydown', (e) => {
    const typing = e.target.matches('input, textarea, select');
    if (e.key === '/' && !typing && $('[data-key="/"]')) { e.preventDefault(); $('[data-key="/"]').focus(); }
  });

  // What a dry run of the form refuses is marked where it was typed.
  document.addEventListener('htmx:afterSwap', (e) => {
    if (e.target.id !== 'preview') return;
    const bad = $('[data-bad]', e.target);
    $$('#submit-form [aria-invalid]').forEach((field) => field.removeAttribute('aria-invalid'));
    const field = bad && bad.dataset.bad && document.getElementById(bad.dataset.bad);
    if (field) field.setAttribute('aria-invalid', 'true');
  });

  // A one-time key in the fragment signs in: the fragment is never sent, and leaves the history.
  const signIn = $('#sign-in');
  if (signIn && location.hash.length > 1) {
    $('#key').value = location.hash.slice(1);
    history.replaceState(null, '', location.pathname);
    signIn.requestSubmit();
  }

  if (!body.dataset.events) return;

  // Is this master there, and has it a leader?
  const lost = $('#lost'), cutOff = $('#cut-off');
  let down = false, wasStale = 'stale' in body.dataset;
  const showLost = (is) => {
    if (is === down) return;
    down = is;
    if (is) {
      const known = $('#known-masters');
      if (known) $('#elsewhere').replaceChildren(known.content.cloneNode(true));
      $$('#elsewhere a').forEach((a) => {
        a.hidden = new URL(a.dataset.base).host === location.host;
        a.href = a.dataset.base + location.pathname + location.search;
      });
    }
    lost.hidden = !is;
    if (!is) { connect(); refresh(); }
  };
  const ping = async () => {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), 1500);
    try {
      const r = await fetch('/health', { signal: limit.signal, cache: 'no-store' });
      const health = await r.json();
      showLost(false);
      const stale = !health.leader;
      cutOff.hidden = !stale;
      body.toggleAttribute('data-stale', stale);
      $$('main form[method="post"]:not(#query-form)').forEach((f) => { f.inert = stale; });
      if (stale) $('#age').textContent = span((r.headers.get('X-Ffrtmp-Last-Contact') || 0) / 1000);
      if (stale !== wasStale) { wasStale = stale; refresh(); }
    } catch { showLost(true); } finally { clearTimeout(timer); }
  };
  setInterval(() => { if (!document.hidden) ping(); }, 1200);
  document.addEventListener('visibilitychange', () => { if (!document.hidden) ping(); });

  // What scripts load of this page. Without a session the browser goes to the sign-in page.
  const part = async (address) => {
    const r = await fetch(address, { headers: { 'HX-Request': 'true', 'HX-Current-URL': location.href } });
    if (r.status === 401) location.assign(r.headers.get('HX-Redirect'));
    return r;
  };

  // Events.
  const live = $('#live');
  let source = null, retry = 0, last = '';
  const connect = () => {
    if (source) source.close();
    const since = last || (body.dataset.index !== '0' ? body.dataset.index : '');
    source = new EventSource(`/ui/events?progress=true${since ? `&since=${since}` : ""}`);
    source.onopen = () => { live.textContent = 'live'; live.classList.add('on'); };
    source.onerror = () => {
      live.textContent = 'reconnecting';
      live.classList.remove('on');
      ping();
      if (source.readyState !== EventSource.CLOSED) return;
      part('/ui/masters').catch(() => { /* the banner says that the master is gone */ });
      clearTimeout(retry);
      retry = setTimeout(() => { last = ''; body.dataset.index = '0'; connect(); refresh(); }, 2000);
    };
    body.dataset.events.split(' ').forEach((type) => source.addEventListener(type, (e) => {
      last = e.lastEventId;
      handle(type, JSON.parse(e.data));
    }));
    source.addEventListener('job.progress', (e) => progress(JSON.parse(e.data)));
  };

  // Signing out revokes the key of the events: they end here first, or the browser would report that they broke.
  const signOut = $('form[action="/ui/logout"]');
  if (signOut) signOut.addEventListener('submit', () => { if (source) source.close(); });

  const trigger = (name) => { if (window.htmx) htmx.trigger(body, name); };
  const refresh = () => { trigger('live-job'); trigger('live-node'); trigger('live-this'); rows(true); };
  let fresh = 0;
  const handle = (type, e) => {
    const page = $('[data-job-page]');
    if (page && e.job_id === page.dataset.jobPage) { trigger('live-this'); log.wake(); }
    trigger(type.startsWith('node.') ? 'live-node' : 'live-job');
    document.dispatchEvent(new CustomEvent('ffrtmp', { detail: { type, event: e } }));
    if (type === 'restored') { refresh(); return; }
    if (!e.job_id) return;
    const row = document.getElementById(`job-${e.job_id}`);
    if (row) { row.dataset.due = e.index; rows(); } else if (type === 'job.submitted' && $('#announce')) announce(++fresh);
  };
  const announce = (n) => {
    const link = document.createElement('a');
    link.className = 'pill ok';
    link.id = 'new-jobs';
    link.href = location.href.replace(/([?&])cursor=\d+&?/, '$1');
    link.textContent = `${n} new job${n === 1 ? '' : 's'}: show`;
    $('#announce').replaceChildren(link);
  };

  // Rows that have changed are loaded together, at most every half second.
  let rowTimer = 0;
  const rows = (all) => {
    if (all) $$('tr[data-job]').forEach((r) => { r.dataset.due = r.dataset.due || '0'; });
    if (rowTimer || !$('tr[data-due]')) return;
    rowTimer = setTimeout(async () => {
      const due = $$('tr[data-due]').slice(0, 50);
      const index = Math.max(...due.map((r) => Number(r.dataset.due)));
      due.forEach((r) => delete r.dataset.due);
      try {
        const r = await part(`/ui/jobs/rows?ids=${due.map((r) => r.dataset.job).join(',')}${index ? `&index=${index}` : ''}`);
        if (r.ok) {
          const html = new DOMParser().parseFromString(`<table><tbody>${await r.text()}</tbody></table>`, 'text/html');
          $$('tr[data-job]', html).forEach((next) => {
            const old = document.getElementById(next.id);
            if (!old) return;
            const changed = old.dataset.status !== next.dataset.status;
            const bar = $('progress', old), bar2 = $('progress', next);
            if (!changed && bar && bar2 && Number(bar.value) > Number(bar2.value)) return; // live figures are newer
            if (old.contains(document.activeElement)) next.dataset.focus = 'true';
            old.replaceWith(next);
            if (next.dataset.focus) $('a', next).focus();
            if (changed) next.classList.add('changed');
          });
        }
      } catch { /* the banner says that the master is gone */ }
      rowTimer = 0;
      rows();
    }, 400);
  };

  // Bars.
  const number = (f) => f >= 100 ? f.toFixed(0) : f.toFixed(1).replace(/\.0$/, '');
  const progress = (e) => {
    $$(`[data-bar="${CSS.escape(e.job_id)}"]`).forEach((bar) => {
      const meter = $('progress', bar);
      if (!meter) return;
      const d = e.progress_detail || {};
      meter.value = e.progress;
      $('.pct', bar).textContent = `${e.progress}%`;
      $('.rate', bar).textContent = (d.phase && d.phase !== 'encoding' ? `${d.phase} ` : '')
        + (d.fps ? `${number(d.fps)} fps · ${number(d.speed)}×` : '') + (d.eta_seconds ? ` · ${span(d.eta_seconds)} left` : '');
    });
    document.dispatchEvent(new CustomEvent('ffrtmp-progress', { detail: e }));
  };

  // The log of an attempt, followed from where it broke.
  const log = (() => {
    const section = $('#log');
    if (!section) return { wake() {} };
    const text = $('#log-text'), follow = $('#log-follow'), search = $('#log-search'), found = $('#log-found');
    const limit = 2 << 20;
    let content = '', offset = 0, busy = false, again = false, due = 0;
    const show = () => {
      due = 0;
      const word = search.value.toLowerCase();
      if (!word) { text.textContent = content; found.textContent = ''; text.dataset.empty = 'No output.'; } else {
        const lines = content.split('\n').filter((l) => l.toLowerCase().includes(word));
        text.replaceChildren(...lines.flatMap((l) => {
          const at = l.toLowerCase().indexOf(word), m = document.createElement('mark');
          m.textContent = l.slice(at, at + word.length);
          return [l.slice(0, at), m, `${l.slice(at + word.length)}\n`];
        }));
        text.dataset.empty = 'No line matches.';
        found.textContent = `${lines.length} line${lines.length === 1 ? '' : 's'}`;
      }
      if (follow.checked) text.scrollTop = text.scrollHeight;
    };
    const add = (s) => {
      content = (content + s).slice(-limit);
      if (!due) due = requestAnimationFrame(show);
    };
    search.addEventListener('input', show);
    const run = async () => {
      if (busy) { again = true; return; }
      busy = true;
      again = false;
      const attempt = section.dataset.attempt;
      try {
        const r = await part(`${section.dataset.log}?follow=true&offset=${offset}${attempt !== '0' ? `&attempt=${attempt}` : ''}`);
        if (r.ok) {
          offset = Number(r.headers.get('X-Ffrtmp-Log-Offset')) || offset;
          section.dataset.attempt = r.headers.get('X-Ffrtmp-Log-Attempt') || attempt;
          const reader = r.body.getReader(), decoder = new TextDecoder();
          for (;;) {
            const { done, value } = await reader.read();
            if (done) break;
            offset += value.length;
            add(decoder.decode(value, { stream: true }));
          }
          section.dataset.ended = 'true';
        } else { again = again || r.status >= 500; }
      } catch { again = true; }
      busy = false;
      if (again) setTimeout(run, 1000);
    };
    run();
    return { wake() { if (!busy && !content) run(); } };
  })();

  // Activity: the newest event first.
  const activity = $('#activity tbody');
  if (activity) {
    const filter = $('#activity-filter'), kind = $('#activity-kind'), pause = $('#activity-pause');
    const names = JSON.parse($('#activity').dataset.nodes);
    const matches = (row) => {
      row.hidden = !row.textContent.toLowerCase().includes(filter.value.toLowerCase()) || (kind.value !== '' && row.dataset.kind !== kind.value);
    };
    const choose = () => {
      const address = new URL(location.href);
      [['q', filter.value], ['type', kind.value]].forEach(([name, value]) => { if (value) address.searchParams.set(name, value); else address.searchParams.delete(name); });
      history.replaceState(null, '', address);
      $$('tr', activity).forEach(matches);
    };
    filter.addEventListener('input', choose);
    kind.addEventListener('change', choose);
    document.addEventListener('ffrtmp', ({ detail: { type, event } }) => {
      if (pause.checked) return;
      const row = document.createElement('tr');
      const cell = (text, href) => {
        const td = row.insertCell();
        const inner = href ? document.createElement('a') : document.createElement('span');
        inner.textContent = text;
        if (href) inner.href = href;
        td.append(inner);
        return td;
      };
      const time = document.createElement('time');
      time.dateTime = event.time;
      row.insertCell().append(time);
      cell(type);
      row.dataset.kind = type;
      if (event.job_id) cell(`#${event.sequence_number}`, `/ui/jobs/${event.job_id}`); else cell('');
      cell(event.attempt || '');
      if (event.node_id) cell(names[event.node_id] || event.node_id.slice(-8), `/ui/nodes/${encodeURIComponent(event.node_id)}`); else cell('');
      cell((event.failure_reason || '').replaceAll('_', ' '));
      matches(row);
      activity.prepend(row);
      if (activity.rows.length > 300) activity.lastElementChild.remove();
      tick();
    });
  }

  // What runs now: frames a second and speed since the page was opened.
  const colors = (...names) => { const css = getComputedStyle(document.documentElement); return names.map((n) => css.getPropertyValue(n).trim()); };
  const now = $('#live-chart');
  if (now && window.uPlot) {
    document.addEventListener('ffrtmp', ({ detail: { type, event: e } }) => {
      if (e.job_id === now.dataset.live && ['job.completed', 'job.failed', 'job.canceled'].includes(type)) now.parentElement.hidden = true;
    });
    const data = [[], [], []], began = Date.now();
    let plot = null;
    document.addEventListener('ffrtmp-progress', ({ detail: e }) => {
      const d = e.progress_detail;
      if (e.job_id !== now.dataset.live || !d || !d.fps) return;
      [(Date.now() - began) / 1000, d.fps, d.speed].forEach((v, i) => { data[i].push(v); if (data[i].length > 300) data[i].shift(); });
      if (data[0].length < 2) return;
      if (plot) { plot.setData(data); return; }
      const [faint, line, blue, green] = colors('--faint', '--line', '--blue-bar', '--green-bar');
      const axis = { stroke: faint, grid: { stroke: line } };
      now.parentElement.hidden = false;
      // Both lines have the same form: their scales differ so that neither hides the other.
      const up = (factor) => ({ range: (_, lo, hi) => [0, (hi || 1) * factor] });
      plot = new uPlot({
        width: now.clientWidth, height: 200, scales: { x: { time: false, range: (_, lo, hi) => [lo, Math.max(hi, lo + 10)] }, fps: up(1.1), speed: up(1.6) },
        axes: [{ ...axis, incrs: [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600], values: (_, at) => at.map(span) }, { ...axis, scale: 'fps' }, { ...axis, scale: 'speed', side: 1, grid: { show: false } }],
        series: [{ label: 'time', value: (_, v) => v === null ? '–' : span(v) }, { label: 'fps', scale: 'fps', stroke: blue, width: 2 }, { label: 'speed', scale: 'speed', stroke: green, width: 2 }],
      }, data, now);
    });
    addEventListener('resize', () => { if (plot) plot.setSize({ width: now.clientWidth, height: 200 }); });
  }

  // Queries: examples, and a chart of the numbers.
  $$('[data-sql]').forEach((b) => b.addEventListener('click', () => { $('#sql').value = b.dataset.sql; $('#sql').focus(); }));
  const chart = $('#chart');
  if (chart && window.uPlot) {
    const result = JSON.parse(chart.dataset.chart);
    const names = result.rows.map((r) => String(r[0]));
    const css = getComputedStyle(document.documentElement);
    const colors = ['--blue-bar', '--green-bar', '--amber-bar', '--red-bar', '--violet'].map((v) => css.getPropertyValue(v).trim());
    const axis = { stroke: css.getPropertyValue('--faint').trim(), grid: { stroke: css.getPropertyValue('--line').trim() } };
    const draw = new uPlot({
      width: chart.clientWidth - 32, height: 240, scales: { x: { time: false, range: [-0.6, names.length - 0.4] } },
      axes: [{ ...axis, grid: { show: false }, splits: () => names.map((_, i) => i), values: (_, at) => at.map((i) => (names[i] || '').slice(0, 14)) }, axis],
      series: [{ label: result.columns[0], value: (_, i) => names[i] || '' }, ...result.columns.slice(1).map((label, i) => ({
        label, stroke: colors[i % colors.length], fill: `${colors[i % colors.length]}55`, width: 2,
        paths: result.columns.length === 2 ? uPlot.paths.bars({ size: [0.6, 80] }) : undefined,
      }))],
    }, [names.map((_, i) => i), ...result.columns.slice(1).map((_, c) => result.rows.map((r) => r[c + 1]))], chart);
    addEventListener('resize', () => draw.setSize({ width: chart.clientWidth - 32, height: 240 }));
  }

  tick();
  connect();
})();
