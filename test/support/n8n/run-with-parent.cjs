// Runs a program that must not outlive the process that started it, however that one ends: our standard input closes then.
//
//     node run-with-parent.cjs '{"signal": "SIGQUIT", "uid": 26, "gid": 26}' <program> <argument> …
//
// The signal ends the program in that case; SIGINT and SIGTERM are passed on to it. The user is ours by default.
const { spawn } = require('node:child_process');

const [, , options, command, ...args] = process.argv;
const { signal, ...user } = JSON.parse(options);
const child = spawn(command, args, { ...user, stdio: ['ignore', 'inherit', 'inherit'] });
child.on('error', () => process.exit(1));
child.on('exit', (code) => process.exit(code ?? 1));
process.stdin.on('close', () => child.kill(signal)).resume();
for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => child.kill(name));
