// The way to the language server: messages to it are posted in order, its own come as events.

/// Connects; the result is a transport of @codemirror/lsp-client. `ended` is called once when the server has gone.
export function connect(ended) {
  const handlers = new Set();
  const events = new EventSource("events");
  let session = null;
  let waiting = [];
  let posting = false;

  const gone = () => {
    if (events.readyState !== EventSource.CLOSED || session !== null) {
      events.close();
      session = null;
      ended();
    }
  };

  // One post at a time, with all that has gathered meanwhile: the order of messages is the order of edits.
  async function flush() {
    if (posting || session === null) return;
    posting = true;
    try {
      while (waiting.length > 0) {
        const body = `[${waiting.join(",")}]`;
        waiting = [];
        const headers = { "Content-Type": "application/json" };
        const answer = await fetch(`messages?session=${session}`, { method: "POST", headers, body });
        if (!answer.ok) throw new Error(await answer.text());
      }
    } catch {
      gone();
    } finally {
      posting = false;
    }
  }

  events.onmessage = (event) => handlers.forEach((handler) => handler(event.data));
  events.onerror = gone;
  return new Promise((resolve) => {
    events.addEventListener("session", (event) => {
      session = event.data;
      resolve({
        send(message) {
          waiting.push(message);
          flush();
        },
        subscribe: (handler) => handlers.add(handler),
        unsubscribe: (handler) => handlers.delete(handler),
      });
    });
  });
}
