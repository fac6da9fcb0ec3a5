/** What both parts of the demo and `npm run dev` share: what a person may ask for, the example, the video's file. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { IDataObject } from 'n8n-workflow';

import { creditsOf } from '../../nodes/shared/task/models';
import { checkVideoRequest, settingsOf, type VideoRequest } from '../../nodes/shared/task/request';
import { probe, sizeOf } from '../sandbox/clips.cjs';
import { startSandbox, type Sandbox, type SandboxOptions } from '../sandbox/server.cjs';
import type { WorkflowJson } from '../support/n8n/client.cjs';
import { PortInUseError } from '../support/serverProcess.cjs';

export const ROOT = join(__dirname, '..', '..');
export const SEEDANCE = 'n8n-nodes-seedance.seedance';
export const CREDENTIAL_TYPE = 'seedanceApi';
export const CREDENTIAL_NAME = 'Seedance API (demo)';

const EXAMPLE = join(ROOT, 'examples', 'text-to-video.json');
const OUTPUT = join(ROOT, 'output');
const REAL_API = 'https://seedanceapi.org/v1';
const DEFAULT_SPEED = 10;

const USAGE = `Usage: npm run demo -- [--once] [--editor] [--port 5678] [--speed ${DEFAULT_SPEED}] [--prompt "…"]
  --once     end when the video is saved, instead of opening n8n's editor
  --editor   generate the video in the real n8n, instead of n8n's engine alone
  --port     the editor's port on 127.0.0.1
  --speed    how many times faster than the real API the sandbox is
  --prompt   another prompt than the example's

With SEEDANCE_API_KEY set, the real API is used instead of the sandbox. That costs credits.`;

/** What went wrong, in a sentence for the person at the terminal. */
export class DemoError extends Error {}

export interface DemoOptions {
	once: boolean;
	editor: boolean;
	/** Undefined: the usual one, or the next that is free. */
	port?: number;
	speed: number;
	example: WorkflowJson;
	/** What the example asks for. */
	request: VideoRequest;
}

/** Of the API that makes the video: the sandbox on this machine, or the real one. */
export interface Api {
	apiKey: string;
	baseUrl: string;
	/** Undefined: the real API. */
	sandbox?: Sandbox;
}

/**
 * Runs a program until it ends by itself or by Ctrl-C, which `work` gets as the signal. Errors that a person can
 * act on are shown without a stack.
 */
export function runProgram(work: (signal: AbortSignal) => Promise<void>): void {
	const interruption = new AbortController();
	for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
		process.on(signal, () => {
			// The first one ends everything in order, one more at once.
			if (interruption.signal.aborted) process.exit(130);
			interruption.abort(new Error('Interrupted.'));
		});
	}
	work(interruption.signal).catch((error: unknown) => {
		process.exitCode = interruption.signal.aborted ? 130 : 1;
		if (interruption.signal.aborted) return;
		const isExpected = error instanceof DemoError || error instanceof PortInUseError;
		process.stderr.write(
			`\n${error instanceof Error ? (isExpected ? error.message : error.stack) : String(error)}\n`,
		);
	});
}

/** Undefined after --help. Throws DemoError when what is asked for cannot be. */
export function readOptions(args: string[]): DemoOptions | undefined {
	let values;
	try {
		({ values } = parseArgs({
			args,
			options: {
				once: { type: 'boolean' },
				editor: { type: 'boolean' },
				port: { type: 'string' },
				speed: { type: 'string' },
				prompt: { type: 'string' },
				help: { type: 'boolean', short: 'h' },
			},
		}));
	} catch (error) {
		throw new DemoError(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
	}
	if (values.help) {
		say(USAGE);
		return undefined;
	}
	const numberOf = (flag: 'port' | 'speed', usual: number | undefined, most: number) => {
		const number = values[flag] === undefined ? usual : Number(values[flag]);
		if (number === undefined || (number > 0 && number <= most)) return number;
		throw new DemoError(`--${flag} cannot be "${values[flag]}".\n\n${USAGE}`);
	};
	const port = numberOf('port', undefined, 65_535);
	const speed = numberOf('speed', DEFAULT_SPEED, 1e6) ?? DEFAULT_SPEED;
	const example: WorkflowJson = JSON.parse(readFileSync(EXAMPLE, 'utf8'));
	const parameters = seedanceNodeOf(example).parameters;
	if (values.prompt !== undefined) parameters.prompt = values.prompt;
	const checked = checkVideoRequest(parameters, 'loopback');
	if (!checked.ok) throw new DemoError(checked.problems.join('\n'));
	const { once = false, editor = false } = values;
	return { once, editor, port, speed, example, request: checked.value };
}

export function seedanceNodeOf({ nodes }: WorkflowJson) {
	const node = nodes.find(({ type }) => type === SEEDANCE);
	if (!node) throw new DemoError('The example has no Seedance node.');
	return node;
}

/** The example with a credential chosen, as a person chooses it. */
export function withCredential(example: WorkflowJson, id: string): WorkflowJson {
	const credentials = { [CREDENTIAL_TYPE]: { id, name: CREDENTIAL_NAME } };
	const nodes = example.nodes.map((node) =>
		node.type === SEEDANCE ? { ...node, credentials } : node,
	);
	return { ...example, nodes };
}

/** The real API where SEEDANCE_API_KEY is set, otherwise a sandbox that is started here. */
export async function openApi(options: SandboxOptions): Promise<Api> {
	const apiKey = process.env.SEEDANCE_API_KEY?.trim();
	if (apiKey) return { apiKey, baseUrl: process.env.SEEDANCE_BASE_URL?.trim() || REAL_API };
	const sandbox = await startSandbox(options);
	return { apiKey: sandbox.apiKey, baseUrl: sandbox.baseUrl, sandbox };
}

/** Says what will be generated and what it costs; where it costs credits, leaves time for Ctrl-C. */
export async function announce(
	{ request }: DemoOptions,
	{ sandbox }: Api,
	signal: AbortSignal,
): Promise<void> {
	const { aspectRatio, resolution, duration, generateAudio } = request;
	const sound = generateAudio ? 'with audio' : 'silent';
	say(`One video: ${duration} seconds, ${resolution}, ${aspectRatio}, ${sound}.`);
	if (sandbox) {
		say('It comes from the sandbox, which simulates the API on this machine and costs nothing.\n');
		return;
	}
	say(
		`SEEDANCE_API_KEY is set: the real Seedance API is used, and this video costs ${creditsOf(settingsOf(request))} credits.`,
	);
	if (!process.stdout.isTTY) return;
	say('Press Ctrl-C within 5 seconds if you do not want that.\n');
	await sleep(5_000, undefined, { signal });
}

/** Saves the video as a file that plays, and says what it is and what it has cost. */
export async function saveVideo(
	bytes: Buffer,
	json: IDataObject,
	{ request }: DemoOptions,
	{ sandbox }: Api,
): Promise<void> {
	const taskId = String(json.task_id);
	mkdirSync(OUTPUT, { recursive: true });
	const file = join(OUTPUT, `${taskId.replace(/[^\w.-]/g, '_')}.mp4`);
	const partial = `${file}.partial`;
	try {
		writeFileSync(partial, bytes);
		renameSync(partial, file);
	} catch (error) {
		rmSync(partial, { force: true });
		throw new DemoError(`The video could not be saved in ${OUTPUT}: ${String(error)}`);
	}
	say(`
  Task ID   ${taskId}
  Status    ${String(json.status)}
  Credits   ${String(json.consumed_credits ?? 'not reported by the API')}
  Video     ${await describeVideo(file, request, sandbox === undefined)}
  File      ${relative(process.cwd(), file)}
`);
}

/** What a player shows of the file. Throws when it is not the video that was asked for. */
async function describeVideo(file: string, request: VideoRequest, isReal: boolean) {
	const { width, height, seconds, hasAudio } = await probe(file);
	const size = sizeOf(request.aspectRatio, request.resolution ?? '720p');
	const textOf = (of: { width: number; height: number }, length: number, sound: boolean) =>
		`${of.width} × ${of.height}, ${length.toFixed(0)} seconds, ${sound ? 'with' : 'without'} audio`;
	const got = textOf({ width, height }, seconds, hasAudio);
	const wanted = textOf(size, Number(request.duration), request.generateAudio);
	if (got === wanted) return got;
	// The real API may round a size otherwise; what was paid for is kept.
	if (isReal) return `${got} (asked for: ${wanted})`;
	throw new DemoError(`The video is not the one that was asked for: ${got} instead of ${wanted}.`);
}

/** Why a workflow did not succeed, as the editor shows it. */
export function failureText(
	status: string,
	{ message = '', description }: { message?: string; description?: string | null } = {},
): string {
	return `The workflow ended with "${status}".\n${message}\n${description ?? ''}`.trim();
}

/** A paid video can be found, however the demo ended. */
export function showPaidTasks(log: string): void {
	for (const [line] of log.matchAll(/^.*Seedance task \S+ created.*$/gm)) {
		say(`\nAlready started and paid for: ${line.trim()}`);
	}
}

export function say(text: string): void {
	process.stdout.write(`${text}\n`);
}
