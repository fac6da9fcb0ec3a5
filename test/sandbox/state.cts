// What the sandbox's routes share: its accounts, books, tasks, faults and settings.
import type { FastifyReply, FastifyRequest } from 'fastify';

import { pause, type Callbacks } from './callbacks.cjs';
import type { ErrorShape } from './contract.cjs';
import type { Ending, Faults } from './faults.cjs';
import type { Account, Ledger } from './ledger.cjs';
import type { SandboxTask, TaskStore, VirtualClock } from './tasks.cjs';

export interface SandboxState {
	accounts: { main: Account; other: Account };
	ledger: Ledger;
	tasks: TaskStore;
	clock: VirtualClock;
	faults: Faults;
	callbacks: Callbacks;
	/** Real milliseconds added to every answer of the API. */
	latencyMs: number;
	/** The shape of the API's own errors. */
	errorShape: ErrorShape;
	/** Every video is a synthetic body of so many bytes; null for playable clips. */
	videoBytes: number | null;
	/** Address of this server without a path. */
	origin: () => string;
	/** Address of a second server, where redirects lead. */
	elsewhere: () => string;
	/** Starts a task of the other account and gives its id. */
	foreignTaskId: () => string;
	/** Gets one line for each thing that happened. */
	log: (line: string) => void;
}

/** The address of a task's video. */
export function videoUrlOf(state: SandboxState, task: SandboxTask): string {
	return `${state.origin()}/videos/${task.id}.mp4`;
}

/** Headers with the API key replaced by its account's name, so that books can be printed. */
export function safeHeaders(state: SandboxState, request: FastifyRequest): Record<string, string> {
	return Object.fromEntries(
		Object.entries(request.headers).map(([name, value]) => {
			const text = state.ledger.redact(Array.isArray(value) ? value.join(', ') : String(value));
			return [name, name === 'authorization' ? hideStrangeKey(text) : text];
		}),
	);
}

/** A key of no account stays unnamed: it may be a real one. */
function hideStrangeKey(authorization: string): string {
	return authorization.includes('<key of ')
		? authorization
		: authorization.replace(/\s.*$/s, ' <unknown key>');
}

/** Sends an answer, cuts the connection, or leaves the caller waiting. Gives the HTTP status, or null without one. */
export async function finishWith(ending: Ending, reply: FastifyReply): Promise<number | null> {
	if ('reset' in ending) {
		reply.hijack();
		reply.raw.socket?.resetAndDestroy();
		return null;
	}
	if ('hang' in ending) {
		reply.hijack();
		const { socket } = reply.raw;
		if (ending.ms !== undefined) void pause(ending.ms).then(() => socket?.resetAndDestroy());
		return null;
	}
	await reply.code(ending.status).headers(ending.headers).send(ending.body);
	return ending.status;
}
