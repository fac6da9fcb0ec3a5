// `npm run sandbox`: the simulated API for people, with its address and key printed, until Ctrl-C.
import { parseArgs } from 'node:util';

import { startSandbox, type Sandbox, type SandboxOptions } from './server.cjs';
import { PROMPT_WORDS } from './tasks.cjs';

const USAGE = `Usage: npm run sandbox -- [--port 8787] [--speed 10] [--seed 1] [--api-key KEY] [--credits 1000] [--quiet]
  --port      port on 127.0.0.1, 0 for a free one
  --speed     how many times faster than the real API videos get ready
  --seed      a whole number: how long each video of version 2 takes
  --api-key   the key to accept, made up when not given
  --credits   the balance to start with
  --quiet     do not print a line for each request`;

/** A mistake of the person at the keyboard: printed as a sentence, without a stack. */
class UsageError extends Error {}

/** The options of a command line; null where it asks for help. */
function optionsOf(args: string[]): SandboxOptions | null {
	const { values } = parseArgs({
		args,
		options: {
			port: { type: 'string', default: '8787' },
			speed: { type: 'string', default: '10' },
			seed: { type: 'string', default: '1' },
			'api-key': { type: 'string' },
			credits: { type: 'string', default: '1000' },
			quiet: { type: 'boolean' },
			help: { type: 'boolean', short: 'h' },
		},
	});
	if (values.help) return null;
	const given = (flag: 'port' | 'speed' | 'seed' | 'credits' | 'api-key', allowed: RegExp) => {
		const text = values[flag];
		if (text === undefined || allowed.test(text)) return text;
		throw new UsageError(`--${flag} cannot be "${text}".\n\n${USAGE}`);
	};
	return {
		apiKey: given('api-key', /^\S+$/),
		port: Number(given('port', /^\d{1,5}$/)),
		speed: Number(given('speed', /^(?=.*[1-9])\d+(\.\d+)?$/)),
		seed: Number(given('seed', /^\d+$/)),
		credits: Number(given('credits', /^\d+$/)),
		log: values.quiet ? undefined : say,
	};
}

function say(line: string): void {
	process.stdout.write(`${line}\n`);
}

function greet({ baseUrl, baseUrlV2, apiKey, ledger, speed, controlUrl }: Sandbox): void {
	const real = (seconds: number) => Number((seconds / speed).toPrecision(2));
	say(`The Seedance sandbox is ready. It costs nothing and makes test pictures only.

  Base URL   ${baseUrl}
  Version 2  ${baseUrlV2}
  API key    ${apiKey}
  Credits    ${ledger.balance}
  Speed      ${speed} times the real API: a video of 8 seconds takes ${real(75)} s, one of version 2 ${real(120)} to ${real(600)} s
  Control    ${controlUrl}: GET shows what has happened, POST makes faults (test/sandbox/control.cts)

Words in a prompt that change what happens: ${Object.keys(PROMPT_WORDS).join(', ')}

Ctrl-C stops it.
`);
}

/** Why the sandbox could not be started, for a person. */
function reasonOf(error: unknown): string {
	const { code = '', port, message } = Object(error);
	if (error instanceof UsageError) return message;
	if (code.startsWith('ERR_PARSE_ARGS')) return `${message}\n\n${USAGE}`;
	if (code === 'EADDRINUSE') {
		return `Port ${port} is in use by another program. Stop that one, or choose another port: npm run sandbox -- --port 0`;
	}
	return String(error);
}

async function main(): Promise<void> {
	const options = optionsOf(process.argv.slice(2));
	if (!options) return say(USAGE);
	const sandbox = await startSandbox(options);
	greet(sandbox);
	const stop = () => {
		say('\nStopping …');
		void sandbox.close();
	};
	process.once('SIGINT', stop);
	process.once('SIGTERM', stop);
}

main().catch((error: unknown) => {
	process.stderr.write(`${reasonOf(error)}\n`);
	process.exitCode = 1;
});
