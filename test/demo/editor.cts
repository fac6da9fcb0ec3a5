/**
 * The second part of `npm run demo`: a real n8n with the packed package runs the example and stays open. Nothing of this
 * n8n is kept. `test/run.mjs` packs the package and hands it over in SEEDANCE_TARBALL.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { itemsOf } from '../support/n8n/server.cjs';
import {
	announce,
	DemoError,
	failureText,
	openApi,
	readOptions,
	runProgram,
	saveVideo,
	say,
	seedanceNodeOf,
	showPaidTasks,
	type Api,
	type DemoOptions,
} from './demo.cjs';
import { startEditor, stayOpen, type Editor } from './n8n.cjs';

/** Milliseconds; the node itself gives up after 15 minutes. */
const VIDEO_TIMEOUT = 20 * 60_000;

async function runExample(
	{ n8n, workflow }: Editor,
	api: Api,
	options: DemoOptions,
	signal: AbortSignal,
): Promise<void> {
	const id = await n8n.api.runWorkflow(workflow.id);
	const execution = await Promise.race([
		n8n.api.waitForExecution(id, { timeoutMs: VIDEO_TIMEOUT }),
		sleep(VIDEO_TIMEOUT * 2, undefined, { signal, ref: false }),
	]);
	if (!execution) throw new DemoError('The workflow did not end.');
	const { status, error } = execution;
	if (status !== 'success') throw new DemoError(failureText(status, error));
	const [item] = itemsOf(execution, seedanceNodeOf(options.example).name);
	if (!item?.binary?.data) throw new DemoError('The workflow succeeded, but it gave no video.');
	await saveVideo(await n8n.api.downloadBinary(item.binary.data), item.json, options, api);
}

runProgram(async (signal) => {
	const options = readOptions(process.argv.slice(2));
	if (!options) return;
	const api = await openApi({ speed: options.speed, log: (line) => say(`  ${line}`) });
	let editor: Editor | undefined;
	let isDone = false;
	try {
		// With the real API, the first part has paid for the video.
		const runs = options.editor || api.sandbox !== undefined;
		if (runs) await announce(options, api, signal);
		say('Starting n8n with the package …');
		editor = await startEditor(api, options, { signal });
		say(`n8n ${editor.n8n.version} runs at ${editor.n8n.baseUrl}`);
		if (runs) await runExample(editor, api, options, signal);
		isDone = true;
		if (!options.once) await stayOpen(editor, api, signal);
	} finally {
		if (!api.sandbox && !isDone) showPaidTasks(editor?.n8n.log() ?? '');
		await editor?.n8n.stop();
		await api.sandbox?.close();
	}
});
