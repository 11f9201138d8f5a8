/* What a webpack "remote" looks like to JupyterLab, written by hand: no build step.
   https://jupyterlab.readthedocs.io/en/stable/extension/extension_dev.html#prebuilt-extensions */
(window._JUPYTERLAB ??= {})['jupyter-clouds'] = (() => {
  let shared;
  const load = async name => (await Object.values(shared[name])[0].get())();
  const sleep = ms => new Promise(done => setTimeout(done, ms));

  /* What is typed while a save is on its way is not in the file, and JupyterLab takes it for saved: the
     tab closes without a question, and no autosave comes. https://github.com/jupyterlab/jupyterlab/issues/17365 */
  const notingChanges = save => async function () {
    const { model } = this;
    let changed = false;
    const note = () => { changed = true; };
    model.contentChanged.connect(note);
    try {
      await save.call(this);
      if (changed && !model.isDisposed) model.dirty = true;
    } finally {
      model.contentChanged.disconnect(note);
    }
  };

  /* A save asks for the file's hash, writes, and asks for the new one: of two at a time one takes the
     other for somebody else's change, and asks. JupyterLab lets the autosave and Ctrl+S overlap:
     https://github.com/jupyterlab/jupyterlab/blob/v4.6.6/packages/docregistry/src/context.ts
     One that waits for its turn saves what is there by then, so that one is enough. */
  const saveInTurn = Context => {
    const save = notingChanges(Context.prototype.save);
    const last = new WeakMap(), waiting = new WeakMap();
    Context.prototype.save = function () {
      if (!waiting.has(this)) {
        const turn = (last.get(this) ?? Promise.resolve()).catch(() => {}).then(() => {
          waiting.delete(this);
          return save.call(this);
        });
        waiting.set(this, turn);
        last.set(this, turn);
      }
      return waiting.get(this);
    };
  };

  const activate = ({ NotebookActions }, { JSONExt }, { Context }) => (app, tracker) => {
    saveInTurn(Context);
    const settings = app.serviceManager.serverSettings;
    const following = new Map(), saving = new Set();

    const missed = async panel => {
      const query = new URLSearchParams({
        path: panel.context.localPath,
        client: panel.sessionContext.session?.kernel?.clientId ?? ''
      });
      const answer = await fetch(`${settings.baseUrl}clouds/outputs?${query}`);
      return (await answer.json()).cells;
    };

    const show = (model, { id, running, outputs, execution_count }) => {
      const cell = [...model.cells].find(one => one.id === id);
      if (!cell) return;
      /* The user ran it. */
      cell.trusted = true;
      /* All of them anew: the view of an output that is replaced misses the words that follow. */
      if (!JSONExt.deepEqual(cell.outputs.toJSON(), outputs)) cell.outputs.fromJSON(outputs);
      cell.executionCount = execution_count;
      cell.executionState = running ? 'running' : 'idle';
    };

    /* As long as a cell runs for which another tab asked, or this one before it lost its connection. */
    const follow = async panel => {
      const before = following.has(panel);
      following.set(panel, 2);
      if (before) return;
      while (following.get(panel) && !panel.isDisposed) {
        const began = Date.now();
        following.set(panel, following.get(panel) - 1);
        const cells = await missed(panel).catch(console.warn);
        const { model } = panel.context;
        const { dirty } = model;
        cells?.forEach(cell => show(model, cell));
        /* The file has it already: saving is for what the user changes. */
        model.dirty = dirty;
        /* Once more after the end: words on their way may have come after the answer. */
        if (!cells || cells.some(cell => cell.running)) following.set(panel, 2);
        if (cells?.length === 0) break;
        await sleep(Math.max(2000, 2 * (Date.now() - began)));
      }
      following.delete(panel);
    };

    tracker.widgetAdded.connect(async (_, panel) => {
      await panel.context.ready;
      await panel.sessionContext.ready;
      follow(panel);
      panel.sessionContext.connectionStatusChanged.connect((_, status) => {
        if (status === 'connected') follow(panel);
      });
    });

    /* What runs is in the file, where its output can be put if the tab is closed the next moment. */
    NotebookActions.executionScheduled.connect(async (_, { notebook }) => {
      const panel = tracker.find(one => one.content === notebook);
      if (!panel) return;
      /* Before 4.5 the file has no cell ids, and cells with the same code cannot be told apart. */
      const { model } = panel.context;
      if (model.sharedModel.nbformat_minor < 5) model.sharedModel.nbformat_minor = 5;
      if (!model.dirty || saving.has(panel)) return;
      saving.add(panel);
      await panel.context.save().catch(() => {});
      saving.delete(panel);
    });
  };

  return {
    init: scope => { shared = scope; },
    get: async () => {
      const notebook = await load('@jupyterlab/notebook');
      const plugin = {
        id: 'jupyter-clouds:outputs',
        autoStart: true,
        requires: [notebook.INotebookTracker],
        activate: activate(
          notebook, await load('@lumino/coreutils'), await load('@jupyterlab/docregistry')
        )
      };
      return () => ({ __esModule: true, default: plugin });
    }
  };
})();
