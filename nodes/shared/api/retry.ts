/**
 * Which requests are sent again, and how often: the POST that costs money only when the API
 * certainly did not accept it, a read as long as that may help. An ambiguous outcome is reported,
 * never repeated.
 */
import { RETRY_AFTER_MAX_MS } from './throttle';
import {
	LEAST_POST_MS,
	postTask,
	type PostResult,
	type ReadResult,
	type PostOptions,
} from './client';
import type { Credential, NodeFunctions } from './credential';
import type { Clock } from '../n8n/clock';
import type { CallFailure } from '../task/errors';
import type { GenerateBody } from '../task/request';
import { findTask, VersionCache, type TaskQuery } from './findTask';
import { isRefusedConnection } from './networkError';

/** Tries of one POST, the first included, while the API certainly accepted none of them. */
export const POST_MAX_TRIES = 5;
/**
 * Failed reads of one task in a row after which it counts as lost: in a single read with retries,
 * and at the end of a wait.
 */
export const READ_MAX_FAILURES = 5;

/** How a video is started: one POST, or a few where the API accepted none before. */
export interface StartOptions extends PostOptions {
	/**
	 * Asked right before each POST, after every wait. False: nothing is sent any more, and the outcome
	 * is the last refusal. Never throws.
	 */
	mayPost: () => Promise<boolean>;
	/** Called before the wait for a repetition: what was refused is not in flight. Never throws. */
	beforeWait: () => Promise<void>;
	/** Whether the caller waits by itself after a 429, and gets the first one. */
	waitsItself?: boolean;
}

/**
 * Starts one video. Sent once; again only after a refused connection, an unknown host or a 429, at
 * most {@link POST_MAX_TRIES} times in a row for all videos of the account, and never in the last
 * {@link LEAST_POST_MS} before the deadline. Never throws. Why:
 * docs/api-contract.md#repeating-a-request.
 */
export async function createTask(
	context: NodeFunctions,
	credential: Credential,
	body: GenerateBody,
	sending: StartOptions,
): Promise<PostResult> {
	const { clock, throttle, deadline, waitsItself, mayPost, beforeWait } = sending;
	let failure: CallFailure = { cause: 'out_of_time', text: '' };
	for (let tries = 1; ; tries++) {
		const isMyTurn = (await throttle.acquire(deadline)) && (await mayPost());
		if (!isMyTurn || deadline - clock.now() < LEAST_POST_MS) return { outcome: 'refused', failure };
		const sentAt = clock.now();
		const created = await postTask(context, credential, body, sending);
		if (created.outcome === 'refused') failure = created.failure;
		if (created.outcome === 'refused' && failure.cause === 'rate_limited') {
			if (waitsItself) {
				// Without its `Retry-After`: that may concern the POST alone, while the run has to poll its
				// videos.
				throttle.onRateLimited(sentAt);
				return created;
			}
			throttle.onRateLimited(sentAt, failure.retryAfterMs);
			const isTooLong = (failure.retryAfterMs ?? 0) > RETRY_AFTER_MAX_MS;
			if (isTooLong || throttle.consecutive429s >= POST_MAX_TRIES) return created;
			await beforeWait();
			continue;
		}
		const isDown = created.outcome === 'refused' && isRefusedConnection(failure);
		if (!isDown) {
			throttle.onResponse();
			return created;
		}
		if (tries >= POST_MAX_TRIES || throttle.isDown) {
			throttle.isDown = true;
			return created;
		}
		await beforeWait();
		const delayMs = Math.min(1000 * 2 ** (tries - 1), deadline - clock.now());
		if (delayMs > 0 && !(await clock.sleep(delayMs))) return created;
	}
}

/**
 * Reads one task; after a transient failure again in 1, 2, 4 … seconds, up to
 * {@link READ_MAX_FAILURES} tries. Stop ends it early. Never throws.
 */
export async function findTaskWithRetry(
	context: NodeFunctions,
	wanted: TaskQuery,
): Promise<ReadResult> {
	const known = new VersionCache();
	return await withRetry(async () => await findTask(context, { known, ...wanted }), wanted.clock);
}

/**
 * The same for any read, not beyond the deadline (milliseconds since 1970). Throws what the read
 * throws.
 */
export async function withRetry(
	read: () => Promise<ReadResult>,
	clock: Clock,
	deadline = Infinity,
): Promise<ReadResult> {
	for (let tries = 1; ; tries++) {
		const found = await read();
		if (found.outcome !== 'unavailable' || tries >= READ_MAX_FAILURES) return found;
		const asked = Math.min(found.failure.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
		const delayMs = Math.max(asked, 1000 * 2 ** (tries - 1));
		if (clock.now() + delayMs >= deadline || !(await clock.sleep(delayMs))) return found;
	}
}
