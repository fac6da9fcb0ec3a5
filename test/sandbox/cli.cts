// `npm run sandbox`: the simulated API for people, with its address and key printed, until Ctrl-C.
import { parseArgs } from 'node:util';

import { startSandbox, type Sandbox, type SandboxOptions } from './server.cjs';
import { PROMPT_WORDS } from './tasks.cjs';

const DEFAULT_PORT = 8787;
const DEFAULT_SPEED = 10;

const USAGE = `Usage: npm run sandbox -- [--port ${DEFAULT_PORT}] [--speed ${DEFAULT_SPEED}] [--api-key KEY] [--credits 1000] [--quiet]
  --port      port on 127.0.0.1, 0 for a free one
  --speed     how many times faster than the real API videos get ready
  --api-key   the key to accept, made up when not given
  --credits   the balance to start with
  --quiet     do not print a line for each request`;

/** A mistake of the person at the keyboard: told in a sentence, without a stack. */
class UsageError extends Error {}

function wishesOf(args: string[]): SandboxOptions & { help: boolean } {
	let values;
	try {
		({ values } = parseArgs({
			args,
			options: {
				port: { type: 'string' },
				speed: { type: 'string' },
				'api-key': { type: 'string' },
				credits: { type: 'string' },
				quiet: { type: 'boolean' },
				help: { type: 'boolean', short: 'h' },
			},
		}));
	} catch (error) {
		throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
	}
	const apiKey = values['api-key'];
	if (apiKey !== undefined && !/^\S+$/.test(apiKey)) {
		throw new UsageError('--api-key must be a key without spaces.');
	}
	return {
		help: values.help ?? false,
		apiKey,
		port: numberOf('--port', values.port, DEFAULT_PORT, (n) => Number.isInteger(n) && n <= 65535),
		speed: numberOf('--speed', values.speed, DEFAULT_SPEED, (n) => n > 0),
		credits: numberOf('--credits', values.credits, 1000, Number.isInteger),
		log: values.quiet ? undefined : say,
	};
}

function numberOf(
	flag: string,
	text: string | undefined,
	byDefault: number,
	fits: (value: number) => boolean,
): number {
	if (text === undefined) return byDefault;
	const value = Number(text);
	if (text.trim() === '' || !Number.isFinite(value) || value < 0 || !fits(value)) {
		throw new UsageError(`${flag} cannot be "${text}".\n\n${USAGE}`);
	}
	return value;
}

function say(line: string): void {
	process.stdout.write(`${line}\n`);
}

function greet(sandbox: Sandbox): void {
	const words = PROMPT_WORDS.map(({ word, meaning }) => `  ${word.padEnd(12)} ${meaning}`);
	say(
		[
			'The Seedance sandbox is ready. It costs nothing and makes test pictures only.',
			'',
			`  Base URL   ${sandbox.baseUrl}`,
			`  API key    ${sandbox.apiKey}`,
			`  Credits    ${sandbox.ledger.balance}`,
			`  Speed      ${sandbox.speed} times the real API: a video of 8 seconds takes ${seconds(75 / sandbox.speed)}`,
			`  Control    ${sandbox.controlUrl}/health, /ledger, /tasks, /faults, /callbacks`,
			'',
			'Words in a prompt that change what happens:',
			...words,
			'',
			'Ctrl-C stops it.',
			'',
		].join('\n'),
	);
}

function seconds(amount: number): string {
	return `${Number(amount.toPrecision(2))} s`;
}

async function main(): Promise<void> {
	const { help, ...options } = wishesOf(process.argv.slice(2));
	if (help) {
		say(USAGE);
		return;
	}
	const sandbox = await startSandbox(options).catch((error: unknown) => {
		const code = error instanceof Error && 'code' in error ? error.code : undefined;
		if (code === 'EADDRINUSE') {
			throw new UsageError(
				`Port ${options.port} is in use by another program. Stop that one, or choose another port: npm run sandbox -- --port 0`,
			);
		}
		if (code === 'EACCES') {
			throw new UsageError(`Port ${options.port} may not be used. Choose one above 1023.`);
		}
		throw error;
	});
	greet(sandbox);
	const stop = () => {
		say('\nStopping …');
		void sandbox.close();
	};
	process.once('SIGINT', stop);
	process.once('SIGTERM', stop);
}

main().catch((error: unknown) => {
	const text = error instanceof UsageError ? error.message : String(error);
	process.stderr.write(`${text}\n`);
	process.exitCode = 1;
});
