// What the sandbox's routes share: its accounts, books, tasks, faults and settings.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ServerResponse } from 'node:http';

import { pause, type Callbacks } from './callbacks.cjs';
import type { Answer, ErrorShape } from './contract.cjs';
import type { Ending, Faults } from './faults.cjs';
import type { Account, Ledger } from './ledger.cjs';
import type { SandboxTask, ShownVideo, TaskStore, VirtualClock } from './tasks.cjs';

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
	/** Answers that do not come: hanging, and dripping ones. */
	hanging: Set<ServerResponse>;
	/** Gets one line for each thing that happened. */
	log: (line: string) => void;
}

/** The video of a task as an answer shows it; asking for its address is what makes a fresh link. */
export function shownVideo(state: SandboxState, task: SandboxTask): ShownVideo {
	return {
		isThere: state.tasks.hasUrl(task),
		url: () => {
			const link = state.tasks.showLink(task);
			const query = link === null ? '' : `?link=${link}`;
			return `${state.origin()}/videos/${encodeURIComponent(task.id)}.mp4${query}`;
		},
	};
}

/** The account whose key a request carries; null without a valid one. */
export function accountOf(state: SandboxState, request: FastifyRequest): Account | null {
	const found = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '');
	const { main, other } = state.accounts;
	return [main, other].find(({ apiKey }) => apiKey === found?.[1]) ?? null;
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
export async function finishWith(
	ending: Ending,
	reply: FastifyReply,
	hanging: Set<ServerResponse>,
): Promise<number | null> {
	if ('reset' in ending) {
		reply.hijack();
		reply.raw.socket?.resetAndDestroy();
		return null;
	}
	if ('drip' in ending) {
		hanging.add(reply.raw);
		drip(ending, reply);
		return ending.ms === undefined ? null : ending.drip.status;
	}
	if ('hang' in ending) {
		reply.hijack();
		hanging.add(reply.raw);
		const { socket } = reply.raw;
		if (ending.ms !== undefined) void pause(ending.ms).then(() => socket?.resetAndDestroy());
		return null;
	}
	await reply.code(ending.status).headers(ending.headers).send(ending.body);
	return ending.status;
}

/** Sends the head of an answer at once, a blank now and then, and its body when the time is up. */
function drip(
	{ drip: answer, everyMs, ms }: Extract<Ending, { drip: Answer }>,
	reply: FastifyReply,
) {
	reply.hijack();
	const { raw } = reply;
	raw.writeHead(answer.status, answer.headers);
	raw.write(' ');
	const blanks = setInterval(() => raw.write(' '), everyMs);
	const finish = () => {
		// First: between the end and its being sent, a blank would come too late.
		clearInterval(blanks);
		raw.end(answer.body);
	};
	const end = ms === undefined ? undefined : setTimeout(finish, ms);
	raw.once('close', () => {
		clearInterval(blanks);
		clearTimeout(end);
	});
}
