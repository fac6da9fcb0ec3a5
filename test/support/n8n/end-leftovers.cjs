// Started by whoever starts several servers in one folder: waits until that process is gone, however it ended (the other
// end of our standard input closes then), ends those of its servers that still run, and removes the folder.
//
//     node end-leftovers.cjs <folder>
//
// Each line of the input says `started <pid> <signal that ends it>` or `ended <pid>`.
const { rmSync } = require('node:fs');
const { createInterface } = require('node:readline');

/** Milliseconds from the signal that should end a server to the one that does. */
const PATIENCE = 3_000;

const running = new Map();

// Only the end of the input ends us.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);

createInterface({ input: process.stdin })
	.on('line', (line) => {
		const [what, pid, signal] = line.split(' ');
		if (what === 'started') running.set(Number(pid), signal);
		else running.delete(Number(pid));
	})
	.on('close', endAll);

async function endAll() {
	for (const [pid, signal] of running) send(pid, signal);
	for (const end = Date.now() + PATIENCE; Date.now() < end && anyRuns(); ) {
		await new Promise((done) => setTimeout(done, 50));
	}
	// A group, because some of them start others.
	for (const pid of running.keys()) send(-pid, 'SIGKILL');
	rmSync(process.argv[2], { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
}

function anyRuns() {
	return [...running.keys()].some((pid) => send(pid, 0));
}

/** Whether there was something to send it to. */
function send(pid, signal) {
	try {
		return process.kill(pid, signal);
	} catch {
		return false;
	}
}
