// Loaded into n8n before its own code: ends n8n when the process that started it is gone, however that one ended (the
// other end of its standard input closes then). Without it a killed test run would leave a server behind.
const { isMainThread } = require('node:worker_threads');

if (isMainThread) {
	process.stdin.on('close', () => {
		// n8n leads a process group, so that its task runners end with it.
		process.kill(process.platform === 'win32' ? process.pid : -process.pid, 'SIGKILL');
	});
	process.stdin.resume();
	process.stdin.unref();
}
