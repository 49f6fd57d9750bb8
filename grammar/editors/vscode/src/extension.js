// Starts `llmp lsp` and shows what it cannot show by itself: plans as drawings, runs in a terminal.
"use strict";

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

function start(context) {
  const command = vscode.workspace.getConfiguration("llmp").get("path", "llmp");
  client = new LanguageClient(
    "llmp",
    "llmp",
    { command, args: ["lsp"] },
    {
      documentSelector: [
        { scheme: "file", language: "llmp" },
        { scheme: "untitled", language: "llmp" },
      ],
      middleware: {
        // The server says what to run; the terminal is ours.
        executeCommand: async (name, args, next) => {
          if (name === "llmp.showPlan") {
            return showPlan(args, next);
          }
          const answer = await next(name, args);
          if (name === "llmp.run" && answer && answer.command) {
            run(answer.command);
          }
          return answer;
        },
      },
    },
  );
  context.subscriptions.push(client);
  return client.start().catch((error) => {
    vscode.window.showErrorMessage(
      `llmp: \`${command} lsp\` does not start (${error.message}). Set "llmp.path" to the program.`,
    );
  });
}

function run(words) {
  const quoted = words.map((word) => (/^[\w./:=-]+$/.test(word) ? word : `'${word.replace(/'/g, "'\\''")}'`));
  quoted[0] = vscode.workspace.getConfiguration("llmp").get("path", "llmp");
  const terminal = vscode.window.terminals.find((t) => t.name === "llmp") ?? vscode.window.createTerminal("llmp");
  terminal.show();
  terminal.sendText(quoted.join(" "));
}

async function showPlan(args, next) {
  const answer = await next("llmp.showPlan", args);
  if (!answer) {
    return;
  }
  const text = `# Plan${args[1] ? ` of ${args[1]}` : ""}\n\n\`\`\`mermaid\n${answer.mermaid}\n\`\`\`\n\n\`\`\`text\n${answer.estimates}\n\`\`\`\n`;
  const document = await vscode.workspace.openTextDocument({ language: "markdown", content: text });
  // With a Mermaid extension the preview draws it; without one the text is there.
  await vscode.commands.executeCommand("markdown.showPreview", document.uri);
}

exports.activate = async (context) => {
  context.subscriptions.push(
    vscode.commands.registerCommand("llmp.plan", () => {
      const editor = vscode.window.activeTextEditor;
      if (editor && client) {
        const uri = editor.document.uri.toString();
        const ask = (name, args) => client.sendRequest("workspace/executeCommand", { command: name, arguments: args });
        return showPlan([uri], ask);
      }
    }),
    vscode.commands.registerCommand("llmp.restart", () => client && client.restart()),
  );
  await start(context);
};

exports.deactivate = () => client && client.stop();
