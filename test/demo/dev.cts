/**
 * `npm run dev`: a sandbox and a real n8n with the nodes, which the compiler rebuilds on each change and n8n loads
 * again. The workflows are kept in .cache/dev. `test/run.mjs` hands over the package in SEEDANCE_TARBALL.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, realpathSync, watchFile } from 'node:fs';
import { join } from 'node:path';

import { startSandbox } from '../sandbox/server.cjs';
import { isPortFree } from '../support/n8n/server.cjs';
import { readOptions, ROOT, runProgram, say, type Api } from './demo.cjs';
import { startEditor, stayOpen } from './n8n.cjs';

/** The same at each start, so that a credential that was filled in by hand stays right. */
const SANDBOX = { port: 8787, apiKey: 'sk-sandbox-for-development' };

/** Compiles on each change into the installed package, which n8n watches. Icons come with the next start. */
function watchSources(userFolder: string) {
	const installed = join(userFolder, '.n8n', 'nodes', 'node_modules', 'n8n-nodes-seedance');
	const compiler = require.resolve('typescript/bin/tsc');
	const options = ['--watch', '--preserveWatchOutput', '--outDir', join(installed, 'dist')];
	return spawn(process.execPath, [compiler, ...options], { cwd: ROOT, stdio: 'inherit' });
}

function showNewLines(logFile: string): void {
	let shown = readFileSync(logFile).length;
	watchFile(logFile, { interval: 500, persistent: false }, () => {
		const log = readFileSync(logFile);
		process.stdout.write(log.subarray(shown));
		shown = log.length;
	});
}

runProgram(async (signal) => {
	const options = readOptions(process.argv.slice(2));
	if (!options) return;
	const port = (await isPortFree(SANDBOX.port)) ? SANDBOX.port : 0;
	const sandbox = await startSandbox({ ...SANDBOX, port, speed: options.speed });
	const api: Api = { apiKey: sandbox.apiKey, baseUrl: sandbox.baseUrl, sandbox };
	mkdirSync(join(ROOT, '.cache', 'dev'), { recursive: true });
	// n8n watches the real path.
	const userFolder = realpathSync(join(ROOT, '.cache', 'dev'));
	say('Starting n8n with the package …');
	const editor = await startEditor(api, options, {
		userFolder,
		env: { N8N_DEV_RELOAD: 'true' },
		signal,
	});
	const compiler = watchSources(userFolder);
	try {
		showNewLines(editor.n8n.logFile);
		await stayOpen(editor, api, signal);
	} finally {
		compiler.kill();
		await editor.n8n.stop();
		await sandbox.close();
	}
});
