/** Deletes old rows, except unfinished ones and those with a Reuse Key. */
import { where, type Step } from '../../shared/idempotency/videoList';

const DAY_MS = 24 * 60 * 60_000;
/** Days after which a row that was handed on, and has no Reuse Key, is deleted. */
export const KEPT_DAYS = 90;
/** Milliseconds since 1970: the last clean-up of this process. */
let lastCleanUp = 0;

/**
 * The step of a clean-up, due once a day at most; undefined when none is due. `now` is in
 * milliseconds since 1970, in the time of the list.
 */
export function cleanUp(now: number): Step | undefined {
	if (now - lastCleanUp < DAY_MS) return undefined;
	lastCleanUp = now;
	const before = new Date(now - KEPT_DAYS * DAY_MS).toISOString();
	return {
		do: 'delete',
		all: [where('handed_on', true), where('video_key', ''), where('createdAt', before, 'lt')],
	};
}
