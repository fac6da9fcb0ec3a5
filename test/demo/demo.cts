/**
 * `npm run demo`: a real n8n with the packed package generates a video and saves it as a file, then the editor stays open.
 *
 * Without anything to set up it uses the sandbox; with SEEDANCE_API_KEY set, the real API. `test/run.mjs` installs this
 * project's packages first, builds the package and hands it over in SEEDANCE_TARBALL.
 */
import { createHash } from 'node:crypto';
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statfsSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Listr } from 'listr2';
import type { INodeExecutionData } from 'n8n-workflow';
import { creditsOf } from '../../nodes/shared/task/models';
import { checkVideoRequest, type VideoRequest } from '../../nodes/shared/task/request';
import { probe, sizeOf } from '../sandbox/clips.cjs';
import { startSandbox, type Sandbox } from '../sandbox/server.cjs';
import {
	DEFAULT_N8N_VERSION,
	ensureN8n,
	errorOf,
	InstallationError,
	isPortFree,
	itemsOf,
	npm,
	PortInUseError,
	startN8n,
	type Execution,
	type N8nServer,
	type SavedWorkflow,
	type WorkflowJson,
} from '../support/n8n/server.cjs';

const ROOT = join(__dirname, '..', '..');
const EXAMPLE = join(ROOT, 'examples', 'text-to-video.json');
const OUTPUT = join(ROOT, 'output');

const NODE_TYPE = 'n8n-nodes-seedance.seedance';
const CREDENTIAL_TYPE = 'seedanceApi';
const REAL_API = 'https://seedanceapi.org/v1';
const DEFAULT_PORT = 5678;
const DEFAULT_SPEED = 10;

/** Milliseconds; the node itself gives up after 15 minutes. */
const VIDEO_TIMEOUT = 20 * 60_000;

/** For n8n's database and the video: without it n8n fails in ways that do not tell why. */
const NEEDED_BYTES = 300 * 1024 ** 2;

const USAGE = `Usage: npm run demo -- [--once] [--port ${DEFAULT_PORT}] [--speed ${DEFAULT_SPEED}] [--prompt "…"]
  --once     end when the video is saved, instead of leaving the editor open
  --port     the editor's port on 127.0.0.1
  --speed    how many times faster than the real API the sandbox is
  --prompt   another prompt than the example's

With SEEDANCE_API_KEY set, the real API is used instead of the sandbox. That costs credits.`;

/** What went wrong, in a sentence for the person at the terminal. */
class DemoError extends Error {}

/** Ctrl-C, or a signal that means the same. */
class Interrupted extends Error {}

interface Wishes {
	once: boolean;
	/** Undefined: the usual one, or the next that is free. */
	port?: number;
	speed: number;
	prompt?: string;
}

/** What the steps hand on, and what has to be ended at the end. */
interface Demo {
	sandbox?: Sandbox;
	n8n?: N8nServer;
	credentialId?: string;
	workflow?: SavedWorkflow;
	execution?: Execution;
	result?: Result;
}

interface Result {
	taskId: string;
	status: string;
	credits: string;
	file: string;
	video: string;
}

const interruption = new AbortController();

async function main(): Promise<void> {
	const wishes = wishesOf(process.argv.slice(2));
	if (!wishes) return say(USAGE);
	const example = readExample(wishes.prompt);
	const request = requestOf(example);
	const apiKey = process.env.SEEDANCE_API_KEY?.trim() || undefined;

	await announce(request, apiKey !== undefined);
	const installation = await ensureN8n(DEFAULT_N8N_VERSION, interruption.signal);
	const cache = dirname(installation.folder);
	checkDisk(cache);
	checkDisk(ROOT);
	const port = await choosePort(wishes.port);
	const tarball = process.env.SEEDANCE_TARBALL ?? (await buildAndPack());
	const folder = ownFolder(cache);

	const demo: Demo = {};
	try {
		await runSteps(demo, { wishes, example, request, apiKey, port, tarball, folder });
		if (demo.result) report(demo.result);
		if (!wishes.once && demo.n8n) await leaveOpen(demo.n8n, demo.workflow);
	} finally {
		await tidyUp(demo, apiKey !== undefined, folder);
	}
}

async function runSteps(
	demo: Demo,
	{
		wishes,
		example,
		request,
		apiKey,
		port,
		tarball,
		folder,
	}: {
		wishes: Wishes;
		example: WorkflowJson;
		request: VideoRequest;
		apiKey: string | undefined;
		port: number;
		tarball: string;
		folder: string;
	},
): Promise<void> {
	let lastEvent = '';
	const steps = new Listr(
		[
			{
				title: 'Start the sandbox, the API simulated on this machine',
				enabled: () => apiKey === undefined,
				task: async (_, task) => {
					demo.sandbox = await startSandbox({
						speed: wishes.speed,
						log: (line) => (lastEvent = line),
					});
					task.title = `The sandbox answers at ${demo.sandbox.baseUrl}`;
				},
			},
			{
				title: `Start n8n ${DEFAULT_N8N_VERSION} with the package`,
				task: async (_, task) => {
					const proxies = apiKey === undefined ? {} : proxyVariables();
					demo.n8n = await startOrRepair(folder, tarball, port, proxies, (text) => {
						task.output = text;
					});
					task.title = `n8n ${demo.n8n.version} runs at ${demo.n8n.baseUrl}`;
				},
				rendererOptions: { persistentOutput: true },
			},
			{
				title: `Import ${relative(ROOT, EXAMPLE)} and its credential`,
				task: async () => {
					if (!demo.n8n) return;
					demo.credentialId = await importCredential(demo.n8n, {
						apiKey: apiKey ?? demo.sandbox?.apiKey ?? '',
						baseUrl: apiKey === undefined ? (demo.sandbox?.baseUrl ?? '') : realApi(),
					});
					demo.workflow = await importWorkflow(demo.n8n, example, demo.credentialId);
				},
			},
			{
				title: 'Generate the video',
				task: async (_, task) => {
					if (!demo.n8n || !demo.workflow) return;
					const started = Date.now();
					const seconds = () => Math.round((Date.now() - started) / 1000);
					const id = await demo.n8n.api.runWorkflow(demo.workflow.id);
					let told = 0;
					demo.execution = await demo.n8n.api.waitForExecution(id, {
						timeoutMs: VIDEO_TIMEOUT,
						intervalMs: process.stdout.isTTY ? 500 : 1_000,
						onRead: ({ status }) => {
							interruption.signal.throwIfAborted();
							// Where lines cannot be rewritten, fewer of them.
							if (!process.stdout.isTTY && Date.now() - told < 5_000) return;
							told = Date.now();
							task.output = `${seconds()} s, execution ${id} is ${status} ${lastEvent && `· ${lastEvent}`}`;
						},
					});
					if (demo.execution.status !== 'success') throw failureOf(demo.execution);
					task.title = `The video was ready after ${seconds()} s`;
				},
			},
			{
				title: 'Save the file',
				task: async (_, task) => {
					if (!demo.n8n || !demo.execution) return;
					const node = example.nodes.find(({ type }) => type === NODE_TYPE);
					const [item] = itemsOf(demo.execution, node?.name ?? '');
					demo.result = await save(demo.n8n, item, request);
					task.title = `Saved ${demo.result.file}`;
				},
			},
		],
		{
			registerSignalListeners: false,
			fallbackRenderer: 'simple',
			rendererOptions: { showErrorMessage: false },
		},
	);
	await steps.run();
}

function wishesOf(args: string[]): Wishes | undefined {
	let values;
	try {
		({ values } = parseArgs({
			args,
			options: {
				once: { type: 'boolean', default: false },
				port: { type: 'string' },
				speed: { type: 'string' },
				prompt: { type: 'string' },
				help: { type: 'boolean', short: 'h' },
			},
		}));
	} catch (error) {
		throw new DemoError(`${messageOf(error)}\n\n${USAGE}`);
	}
	if (values.help) return undefined;
	const port = values.port === undefined ? undefined : Number(values.port);
	if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65536)) {
		throw new DemoError(`--port cannot be "${values.port}".\n\n${USAGE}`);
	}
	const speed = Number(values.speed ?? DEFAULT_SPEED);
	if (!(speed > 0 && Number.isFinite(speed))) {
		throw new DemoError(`--speed cannot be "${values.speed}".\n\n${USAGE}`);
	}
	return { once: values.once ?? false, port, speed, prompt: values.prompt };
}

function readExample(prompt: string | undefined): WorkflowJson {
	const example: unknown = JSON.parse(readFileSync(EXAMPLE, 'utf8'));
	if (!isWorkflow(example)) throw new DemoError(`${relative(ROOT, EXAMPLE)} is not a workflow.`);
	for (const node of example.nodes) {
		if (node.type === NODE_TYPE && prompt !== undefined) node.parameters.prompt = prompt;
	}
	return example;
}

/** What the example asks for; checked here, so that a bad --prompt is refused before anything starts. */
function requestOf({ nodes }: WorkflowJson): VideoRequest {
	const parameters = nodes.find(({ type }) => type === NODE_TYPE)?.parameters ?? {};
	const { prompt, aspectRatio, resolution, duration, generateAudio, fixedLens } = parameters;
	const checked = checkVideoRequest(
		{ prompt, aspectRatio, resolution, duration, generateAudio, fixedLens },
		'loopback',
	);
	if (!checked.ok) throw new DemoError(checked.problems.join('\n'));
	return checked.value;
}

async function announce(request: VideoRequest, isReal: boolean): Promise<void> {
	const { aspectRatio, resolution, duration, generateAudio } = request;
	const sound = generateAudio ? 'with audio' : 'silent';
	say(`One video: ${duration} seconds, ${resolution}, ${aspectRatio}, ${sound}.`);
	if (!isReal) {
		say('It comes from the sandbox, which simulates the API on this machine and costs nothing.\n');
		return;
	}
	say(
		`SEEDANCE_API_KEY is set: the real Seedance API is used, and this video costs ${creditsOf(request)} credits.`,
	);
	if (process.stdout.isTTY) {
		say('Press Ctrl-C within 5 seconds if you do not want that.\n');
		await sleep(5_000, undefined, { signal: interruption.signal });
	}
}

/** Another API address for people who test against one; the real one by default. */
function realApi(): string {
	return process.env.SEEDANCE_BASE_URL?.trim() || REAL_API;
}

/** The sandbox is on this machine; only the real API may have to be reached through a proxy. */
function proxyVariables(): Record<string, string> {
	const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'];
	return Object.fromEntries(
		names.flatMap((name) => {
			const value = process.env[name];
			return value === undefined ? [] : [[name, value]];
		}),
	);
}

function checkDisk(path: string): void {
	const { bavail, bsize } = statfsSync(path);
	if (bavail * bsize >= NEEDED_BYTES) return;
	throw new DemoError(
		`Not enough disk space: ${Math.round((bavail * bsize) / 1024 ** 2)} MB are free in ${path}, 300 MB are needed.`,
	);
}

async function choosePort(wished: number | undefined): Promise<number> {
	if (wished !== undefined) {
		if (await isPortFree(wished)) return wished;
		throw new DemoError(`Port ${wished} is in use by another program. Choose another with --port.`);
	}
	for (let port = DEFAULT_PORT; port < DEFAULT_PORT + 100; port++) {
		if (!(await isPortFree(port))) continue;
		if (port !== DEFAULT_PORT) {
			say(`Port ${DEFAULT_PORT} is in use by another program: the editor will be on port ${port}.`);
		}
		return port;
	}
	throw new DemoError(`No port from ${DEFAULT_PORT} on is free. Choose one with --port.`);
}

async function buildAndPack(): Promise<string> {
	say('Building the package …');
	await npm(['run', 'build'], ROOT);
	const folder = mkdtempSync(join(tmpdir(), 'seedance-package-'));
	process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
	await npm(['pack', '--ignore-scripts', '--pack-destination', folder], ROOT);
	const [tarball] = readdirSync(folder);
	return join(folder, tarball);
}

/**
 * The demo's n8n keeps its folder from one run to the next, which makes the next start fast. A second demo at the same
 * time gets another folder, because two servers must not share a database.
 */
function ownFolder(cache: string): string {
	for (let number = 1; ; number++) {
		const folder = join(cache, `demo-${DEFAULT_N8N_VERSION}${number === 1 ? '' : `-${number}`}`);
		if (isUsedByAnother(folder)) continue;
		mkdirSync(folder, { recursive: true });
		writeFileSync(join(folder, 'demo.pid'), String(process.pid));
		return folder;
	}
}

function isUsedByAnother(folder: string): boolean {
	const file = join(folder, 'demo.pid');
	if (!existsSync(file)) return false;
	try {
		process.kill(Number(readFileSync(file, 'utf8')), 0);
		return true;
	} catch {
		return false;
	}
}

/** Starts n8n in its kept folder. When that does not work, the folder is put aside and a new one is used. */
async function startOrRepair(
	folder: string,
	tarball: string,
	port: number,
	env: Record<string, string>,
	tell: (text: string) => void,
): Promise<N8nServer> {
	const start = async () => {
		const fingerprint = createHash('sha256').update(readFileSync(tarball)).digest('hex');
		const note = join(folder, 'installed-package');
		const isInstalled =
			existsSync(note) &&
			readFileSync(note, 'utf8') === fingerprint &&
			existsSync(join(folder, '.n8n', 'nodes', 'node_modules', 'n8n-nodes-seedance'));
		const n8n = await startN8n({
			userFolder: folder,
			packages: isInstalled ? undefined : tarball,
			port,
			env,
			signal: interruption.signal,
		});
		writeFileSync(note, fingerprint);
		return n8n;
	};
	const isNew = !existsSync(join(folder, 'installed-package'));
	try {
		return await start();
	} catch (error) {
		interruption.signal.throwIfAborted();
		if (isNew || error instanceof PortInUseError || error instanceof InstallationError) throw error;
		const aside = `${folder}.broken`;
		rmSync(aside, { recursive: true, force: true });
		renameSync(folder, aside);
		mkdirSync(folder, { recursive: true });
		writeFileSync(join(folder, 'demo.pid'), String(process.pid));
		tell(
			`The n8n of the last demo did not start any more, so this is a new one. The old one is in ${aside}.`,
		);
		return await start();
	}
}

async function importCredential(
	{ api }: N8nServer,
	data: { apiKey: string; baseUrl: string },
): Promise<string> {
	// What an earlier demo left behind points at a sandbox that is gone.
	for (const { id, type, name } of await api.listCredentials()) {
		if (type === CREDENTIAL_TYPE && name === 'Seedance API (demo)') await api.deleteCredential(id);
	}
	const credential = { name: 'Seedance API (demo)', type: CREDENTIAL_TYPE, data };
	const { id } = await api.createCredential(credential);
	const test = await api.testCredential({ ...credential, id });
	if (test.status !== 'OK') throw new DemoError(`The credential does not work: ${test.message}`);
	return id;
}

async function importWorkflow(
	{ api }: N8nServer,
	example: WorkflowJson,
	credentialId: string,
): Promise<SavedWorkflow> {
	const nodes = example.nodes.map((node) =>
		node.type === NODE_TYPE
			? {
					...node,
					credentials: { [CREDENTIAL_TYPE]: { id: credentialId, name: 'Seedance API (demo)' } },
				}
			: node,
	);
	const { connections, settings } = example;
	const known = (await api.listWorkflows()).find(({ name }) => name === example.name);
	return known
		? await api.updateWorkflow(known.id, { nodes, connections, settings })
		: await api.createWorkflow({ ...example, nodes });
}

async function save(
	{ api }: N8nServer,
	item: INodeExecutionData | undefined,
	request: VideoRequest,
): Promise<Result> {
	const binary = item?.binary?.data;
	const taskId = item?.json.task_id;
	if (!binary || typeof taskId !== 'string') {
		throw new DemoError('The execution succeeded, but its item holds no video.');
	}
	const bytes = await api.downloadBinary(binary);
	mkdirSync(OUTPUT, { recursive: true });
	const file = join(OUTPUT, `${taskId.replace(/[^\w.-]/g, '_')}.mp4`);
	const partial = `${file}.partial`;
	try {
		writeFileSync(partial, bytes);
		renameSync(partial, file);
	} catch (error) {
		rmSync(partial, { force: true });
		throw new DemoError(`The video could not be saved in ${OUTPUT}: ${messageOf(error)}`);
	}
	return {
		taskId,
		status: String(item?.json.status),
		credits: String(item?.json.consumed_credits ?? 'not told by the API'),
		file: relative(process.cwd(), file),
		video: await describe(file, request),
	};
}

/** What a player would see in the file; refuses a file that is not the video that was asked for. */
async function describe(file: string, request: VideoRequest): Promise<string> {
	const { width, height, seconds, hasAudio } = await probe(file);
	const wanted = sizeOf(request.aspectRatio, request.resolution);
	const text = `${width} × ${height}, ${seconds.toFixed(1)} seconds, ${hasAudio ? 'with' : 'without'} audio`;
	const isRight =
		width === wanted.width &&
		height === wanted.height &&
		Math.abs(seconds - Number(request.duration)) < 0.5 &&
		hasAudio === request.generateAudio;
	if (isRight) return text;
	const asked = `${wanted.width} × ${wanted.height}, ${request.duration} seconds, ${request.generateAudio ? 'with' : 'without'} audio`;
	// The real API may round a size otherwise; what was paid for is kept, and the difference is told.
	if (process.env.SEEDANCE_API_KEY?.trim()) return `${text} (asked for: ${asked})`;
	throw new DemoError(`The video is not the one that was asked for: ${text} instead of ${asked}.`);
}

function failureOf(execution: Execution): DemoError {
	const error = errorOf(execution);
	const reason = [error?.message, error?.description].filter(Boolean).join('\n');
	return new DemoError(`The workflow ended with "${execution.status}".\n${reason}`.trim());
}

function report({ taskId, status, credits, video, file }: Result): void {
	say(`
  Task ID   ${taskId}
  Status    ${status}
  Credits   ${credits}
  Video     ${video}
  File      ${file}
`);
}

async function leaveOpen(n8n: N8nServer, workflow: SavedWorkflow | undefined): Promise<void> {
	say(`The editor is open at ${n8n.baseUrl}${workflow ? `/workflow/${workflow.id}` : ''}
  Email     ${n8n.login.email}
  Password  ${n8n.login.password}

Press Ctrl-C to end.`);
	await Promise.race([
		n8n.ended().then(() => {
			if (!interruption.signal.aborted) throw new DemoError('n8n has ended by itself.');
		}),
		new Promise<void>((done) => {
			if (interruption.signal.aborted) done();
			interruption.signal.addEventListener('abort', () => done());
		}),
	]);
	say('\nEnding n8n …');
}

async function tidyUp(
	{ n8n, sandbox, credentialId, result }: Demo,
	isReal: boolean,
	folder: string,
): Promise<void> {
	if (isReal && !result) {
		// A video that is paid for must be findable, whatever ended the demo.
		for (const [line] of n8n?.log().matchAll(/^.*Seedance task \S+ created.*$/gm) ?? []) {
			say(`\nAlready started and paid for: ${line.trim()}`);
		}
	}
	if (isReal && n8n?.pid !== undefined && credentialId !== undefined) {
		// A real key does not stay behind, not even encrypted.
		await n8n.api.deleteCredential(credentialId).catch(() => undefined);
	}
	await n8n?.stop();
	await sandbox?.close();
	rmSync(join(folder, 'demo.pid'), { force: true });
}

function isWorkflow(value: unknown): value is WorkflowJson {
	return (
		typeof value === 'object' &&
		value !== null &&
		'name' in value &&
		'nodes' in value &&
		Array.isArray(value.nodes)
	);
}

function messageOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}

function say(text: string): void {
	process.stdout.write(`${text}\n`);
}

let signals = 0;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
	process.on(signal, () => {
		// The first ends everything in order; one more at the keyboard means: at once.
		if (++signals > 1) process.exit(130);
		interruption.abort(new Interrupted('Interrupted.'));
	});
}

main().catch((error: unknown) => {
	if (interruption.signal.aborted) {
		process.exitCode = 130;
	} else if (error instanceof InstallationError) {
		process.exitCode = 1;
	} else {
		const isOurs = error instanceof DemoError || error instanceof PortInUseError;
		process.stderr.write(
			`\n${isOurs || !(error instanceof Error) ? messageOf(error) : error.stack}\n`,
		);
		process.exitCode = 1;
	}
});
