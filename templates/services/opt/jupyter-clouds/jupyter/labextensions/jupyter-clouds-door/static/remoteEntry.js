/* What the machine has to tell, shown in JupyterLab; and what was typed, saved when it asks.
   A webpack "remote" written by hand: no build step.
   https://jupyterlab.readthedocs.io/en/stable/extension/extension_dev.html#prebuilt-extensions */
(window._JUPYTERLAB ??= {})['jupyter-clouds-door'] = (() => {
  const SCHEMA = 'urn:jupyter-clouds:tabs:1';
  /* Milliseconds: how often the server is asked whether a notice still holds, and how long a save
     may take before a copy is made. */
  const AGAIN = 10000, PATIENCE = 2500;
  let shared;
  const load = async name => (await Object.values(shared[name])[0].get())();
  const sleep = ms => new Promise(done => setTimeout(done, ms));

  const activate = ({ Notification }, { ServerConnection }) => (app, documents) => {
    const { contents, events, serverSettings } = app.serviceManager;
    const tab = `${Date.now()}-${Math.random()}`;
    let notice = null, shown = null;

    const ask = async (name, body) => {
      const init = body ? { method: 'POST', body: JSON.stringify(body) } : {};
      const url = `${serverSettings.baseUrl}clouds/${name}`;
      const answer = await ServerConnection.makeRequest(url, init, serverSettings);
      if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
      return answer.status === 204 ? null : answer.json();
    };

    const dirty = () => {
      const found = new Map();
      for (const area of ['main', 'down'])
        for (const widget of app.shell.widgets(area)) {
          const context = documents.contextForWidget(widget);
          if (context?.isReady && context.model.dirty && !context.model.readOnly)
            found.set(context.path, context);
        }
      return [...found.values()];
    };

    /* A save that asks something, because the file was changed by others, may never be answered. */
    const copy = async ({ path, model, contentsModel }) => {
      const [, name, ending] = path.match(/^(.*?)((?:\.[^./]*)?)$/);
      const stamp = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
      const { type, format } = contentsModel;
      const content = type === 'notebook' ? model.toJSON() : model.toString();
      await contents.save(`${name}.unsaved-${stamp}${ending}`, { type, format, content });
    };

    const save = async id => {
      const tell = list => ask('saved', { id, tab, documents: list }).catch(console.warn);
      const contexts = dirty();
      /* The first word may not overtake the last. */
      await tell(contexts.map(({ path }) => ({ path, state: 'saving' })));
      await Promise.all(contexts.map(async context => {
        const { path } = context;
        let saving = true;
        const saved = context.save().then(() => true).finally(() => { saving = false; });
        try {
          if (await Promise.race([saved, sleep(PATIENCE)]) || !context.model.dirty)
            return await tell([{ path, state: 'saved' }]);
          if (saving) await copy(context);
          await tell([{ path, state: 'failed', error: 'asks its tab; a copy is beside it' }]);
        } catch (error) {
          await tell([{ path, state: 'failed', error: String(error) }]);
        }
      }));
    };

    const show = next => {
      if (next?.id === notice?.id) return;
      if (shown) Notification.dismiss(shown);
      notice = next;
      shown = null;
      if (!next) return;
      const at = new Date(next.time);
      const time = isNaN(at) ? '' : at.toLocaleTimeString();
      const actions = (next.actions ?? []).map(({ label, command, args }) => ({
        label,
        callback: () => app.commands.execute(command, args)
      }));
      /* Not closed by itself: whoever comes back to this tab is to see it. */
      const options = { autoClose: false, actions };
      shown = Notification.emit(next.text.replace('{time}', time), next.level, options);
    };

    /* Buttons of the notice that the machine is about to stop by itself. */
    const wish = words => ask('autostop', words).then(look).catch(error =>
      Notification.error(`This was not heard: ${error.message}`, { autoClose: false }));
    app.commands.addCommand('jupyter-clouds:stay', {
      label: 'Keep this machine running',
      execute: () => wish({ do: 'stay' })
    });
    app.commands.addCommand('jupyter-clouds:extend', {
      label: args => `Let this machine run ${args.hours ?? 1} h longer`,
      execute: ({ hours }) => wish({ do: 'extend', hours: hours ?? 1 })
    });

    /* A server that was started anew has no notice: the machine is back. */
    let looking = false;
    const look = async () => {
      show((await ask('notice')).notice);
      if (looking) return;
      looking = true;
      while (notice) {
        await sleep(AGAIN);
        await ask('notice').then(answer => show(answer.notice), () => {});
      }
      looking = false;
    };

    events.stream.connect((_, event) => {
      if (event.schema_id !== SCHEMA) return;
      if (event.kind === 'save') save(event.id);
      else look().catch(console.warn);
    });
    look().catch(console.warn);
  };

  return {
    init: scope => { shared = scope; },
    get: async () => {
      const { IDocumentManager } = await load('@jupyterlab/docmanager');
      const plugin = {
        id: 'jupyter-clouds-door:tabs',
        autoStart: true,
        requires: [IDocumentManager],
        activate: activate(
          await load('@jupyterlab/apputils'),
          await load('@jupyterlab/services')
        )
      };
      return () => ({ __esModule: true, default: plugin });
    }
  };
})();
