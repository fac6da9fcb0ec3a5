/** What one run of the node knows: asked of n8n once in `execute()`, and handed to everything that works for it. */
import type { IExecuteFunctions } from 'n8n-workflow';

import { getTask, PARALLEL_READS, type Credential, type Read } from '../../shared/api/client';
import { brakeOf, type Brake } from '../../shared/api/brake';
import { limiter, within, type Clock } from '../../shared/n8n/clock';
import { workUntil } from '../../shared/n8n/limit';
import { onErrorOf, type OnError } from '../../shared/n8n/onError';
import { isTool, runIndexOf } from './parameters';

/** Milliseconds after which a slow read no longer holds up those behind it. */
const READ_HOLDS_MS = 5_000;

export interface Run {
	readonly context: IExecuteFunctions;
	readonly clock: Clock;
	/** Milliseconds since 1970 at which the node began; the start of the execution is not visible to it. */
	readonly startedAt: number;
	/** Input items. */
	readonly count: number;
	readonly onError: OnError;
	readonly isTool: boolean;
	/** The run of this node within its execution, from 0; 0 for an AI tool, which gets a new one for each try. */
	readonly runIndex: number;
	/** Milliseconds since 1970 until which the run may work, before n8n ends the execution; Infinity without a limit. */
	readonly workUntil: number;
	/** The task of an item, as soon as the run knows of it: what is told when something throws that nobody foresaw. */
	readonly taskIds: Map<number, string>;
	/** The brake of an account, shared by everything that this run sends there. */
	brakeFor: (credential: Credential) => Brake;
	/**
	 * Reads one task by a deadline (milliseconds since 1970), in turn with the others. A 429 is waited out and asked again:
	 * only when the deadline comes before, it is what is given.
	 */
	readTask: (credential: Credential, taskId: string, deadline: number) => Promise<Read>;
}

/** Tells accounts apart within a run. Never to be shown or stored: it holds the key. */
export function credentialKey({ baseUrl, apiKey }: Credential): string {
	return `${baseUrl}\n${apiKey}`;
}

/** Gathers what a run knows. Throws what n8n throws. */
export function runOf(context: IExecuteFunctions, clock: Clock): Run {
	const startedAt = clock.now();
	const brakes = new Map<string, Brake>();
	const inTurn = limiter(PARALLEL_READS);
	const brakeFor = (credential: Credential): Brake => {
		const key = credentialKey(credential);
		const brake = brakes.get(key) ?? brakeOf(clock);
		brakes.set(key, brake);
		return brake;
	};
	/** Undefined when the deadline came before there was room for it. */
	const readInTurn = async (
		credential: Credential,
		taskId: string,
		deadline: number,
	): Promise<Read | undefined> => {
		const { pending } = await inTurn(async () => {
			const left = deadline - clock.now();
			if (left <= 0) return { pending: undefined };
			const read = getTask(context, credential, taskId, clock, left);
			await within(read, READ_HOLDS_MS, clock);
			// In an object, because a promise alone would be waited for, and hold the place.
			return { pending: read };
		});
		return await pending;
	};
	const tool = isTool(context);
	return {
		context,
		clock,
		startedAt,
		count: context.getInputData().length,
		onError: onErrorOf(context.getNode()),
		isTool: tool,
		runIndex: tool ? 0 : runIndexOf(context),
		workUntil: workUntil(context, startedAt) ?? Infinity,
		taskIds: new Map(),
		brakeFor,
		readTask: async (credential, taskId, deadline) => {
			const brake = brakeFor(credential);
			let limited: Read | undefined;
			while (await brake.turn(deadline)) {
				const sentAt = clock.now();
				const read = await readInTurn(credential, taskId, deadline);
				if (!read) break;
				const isLimited = read.outcome === 'transient' && read.failure.cause === 'rate_limited';
				if (!isLimited) {
					const isAnswer = read.outcome !== 'transient' || read.failure.httpStatus !== undefined;
					if (isAnswer) brake.answered();
					return read;
				}
				brake.slowDown(sentAt, read.failure.retryAfterMs);
				limited = read;
			}
			return limited ?? { outcome: 'transient', failure: { cause: 'rate_limited', text: '' } };
		},
	};
}
