/**
 * The first part of `npm run demo`: the example workflow in n8n's own engine, in this process, against the sandbox. It
 * needs no n8n server. With SEEDANCE_API_KEY set it uses the real API.
 */
import { Workflow } from 'n8n-workflow';

import {
	Credentials,
	execute,
	nodeTypes,
	startCore,
	startData,
	type Core,
} from '../support/engine.cjs';
import {
	announce,
	CREDENTIAL_NAME,
	DemoError,
	failureText,
	openApi,
	readOptions,
	runProgram,
	saveVideo,
	say,
	SEEDANCE,
	seedanceNodeOf,
	showPaidTasks,
	withCredential,
	type Api,
	type DemoOptions,
} from './demo.cjs';

const TRIGGER = 'n8n-nodes-base.manualTrigger';

async function runExample(core: Core, api: Api, options: DemoOptions, signal: AbortSignal) {
	const { name, nodes, connections, settings } = withCredential(options.example, '1');
	const runnable = nodes.filter(({ type }) => type === TRIGGER || type === SEEDANCE);
	const parts = { nodes: runnable, connections, settings, nodeTypes };
	const workflow = new Workflow({ id: 'demo', name, active: false, ...parts });
	const { apiKey, baseUrl } = api;
	const credentials = new Credentials(new Map([[CREDENTIAL_NAME, { apiKey, baseUrl }]]));
	const running = execute(workflow, startData(runnable[0]), credentials, 'manual', {
		executionId: '1',
	});
	signal.addEventListener('abort', running.stop);
	const { data, status } = await running.ended;
	signal.throwIfAborted();
	const { runData, error } = data.resultData;
	if (status !== 'success') throw new DemoError(failureText(status, error));
	const item = runData[seedanceNodeOf(options.example).name]?.[0].data?.main[0]?.[0];
	if (!item?.binary?.data) throw new DemoError('The workflow succeeded, but it gave no video.');
	await saveVideo(await core.binaries.getAsBuffer(item.binary.data), item.json, options, api);
}

runProgram(async (signal) => {
	const options = readOptions(process.argv.slice(2));
	if (!options) return;
	const api = await openApi({ speed: options.speed, log: (line) => say(`  ${line}`) });
	const core = await startCore();
	try {
		await announce(options, api, signal);
		say("n8n's engine runs examples/text-to-video.json …");
		await runExample(core, api, options, signal);
	} catch (error) {
		if (!api.sandbox) showPaidTasks(core.logs.map(({ text }) => text).join('\n'));
		throw error;
	} finally {
		await core.close();
		await api.sandbox?.close();
	}
});
