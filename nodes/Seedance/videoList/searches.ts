/** The searches of a run in the list of videos: one for each item that may be sent. */
import { nthIdentity } from '../../shared/idempotency/identity';
import { isObject } from '../../shared/json';
import type { Prepared } from '../run/prepare';
import type { Run } from '../run/run';
import { newRow } from './rowChanges';
import type { Search } from './claimVideos';
import { isShared } from './sameVideo';

const DAY_MS = 24 * 60 * 60_000;
/** The field of the node's context with the places of equal items, and its version. */
const FIELD = 'seedanceList';
const VERSION = 1;

/**
 * The identity of an item among its equals: the n-th of an execution, over all runs of the node,
 * and the same n again at a retry. With a Reuse Key equal items are one.
 */
function identityOf(run: Run, item: Prepared): string {
	const { listed, itemIndex } = item;
	const identity = listed?.identity ?? '';
	if (run.isTool || listed?.videoKey) return identity;
	const context = run.context.getContext('node');
	const stored: unknown = context[FIELD];
	const isReadable = isObject(stored) && stored.version === VERSION && isObject(stored.places);
	const places = isReadable && isObject(stored.places) ? stored.places : {};
	context[FIELD] = { version: VERSION, places };
	const found: unknown = places[identity];
	const equals: unknown[] = Array.isArray(found) ? found : [];
	const place = `${run.runIndex}:${itemIndex}`;
	if (!equals.includes(place)) equals.push(place);
	places[identity] = equals;
	return nthIdentity(identity, equals.indexOf(place));
}

/** The search for an item; undefined where the list is off. */
export function searchOf(run: Run, item: Prepared): Search | undefined {
	const { listed } = item;
	if (!listed) return undefined;
	const { ifExists, videoKey } = listed;
	const isByHand = run.mode === 'manual';
	const maxAgeMs = videoKey ? Infinity : DAY_MS;
	const identity = identityOf(run, item);
	const reuses = ifExists === 'always' || (ifExists === 'manualRuns' && isByHand);
	const given = ifExists === 'skip' ? 'skip' : reuses ? 'reuse' : undefined;
	return {
		identity,
		isShared: isShared(listed),
		maxAgeMs,
		handedOn: given && {
			do: given,
			maxAgeMs: ifExists === 'manualRuns' ? maxAgeMs : Infinity,
		},
		newRow: newRow(run, item, identity),
	};
}
