/**
 * The events for which a trigger has started a run, so that a repeated callback starts none.
 *
 * Two memories, merged: one of this process, which is exact, and n8n's static data, which survives
 * a restart but is loaded and saved whole per request (docs/n8n-behaviour.md#static-data). One
 * process never runs an event twice; several webhook processes run it at least once.
 */
import type { IDataObject } from 'n8n-workflow';

import { numberOf } from '../shared/json';
import { KeyedMutex, type Lock } from '../shared/n8n/keyedMutex';

/** Events that are remembered for each trigger node. */
export const REMEMBERED_EVENTS = 1000;
/** Trigger nodes that this process remembers. */
export const REMEMBERED_TRIGGERS = 1000;

/** Where the events stand in the node's static data, oldest first, and the number of their form. */
const FIELD = 'delivered';
const VERSION_FIELD = 'version';
/**
 * The version that this package writes. Version 1 wrote no number and stored the events in the same
 * way.
 */
const VERSION = 2;

/** What this process remembers of one trigger node. */
interface TriggerState {
	/** `task_id:outcome`, oldest first. */
	events: Set<string>;
	/** Events whose run n8n may not have started yet. */
	pending: Set<string>;
	/**
	 * By task: until when (milliseconds since 1970) a run waits for its video. Until then it stands
	 * for every outcome.
	 */
	awaited: Map<string, number>;
	/** By task. */
	callbacks: KeyedMutex;
}

const triggers = new Map<string, TriggerState>();

function triggerStateOf(trigger: string): TriggerState {
	const state = triggers.get(trigger) ?? {
		events: new Set(),
		pending: new Set(),
		awaited: new Map(),
		callbacks: new KeyedMutex(),
	};
	// The least recently used trigger is forgotten, unless a callback of it is in flight.
	triggers.delete(trigger);
	triggers.set(trigger, state);
	for (const [oldest, { callbacks }] of triggers) {
		if (triggers.size <= REMEMBERED_TRIGGERS) break;
		if (callbacks.size === 0 && oldest !== trigger) triggers.delete(oldest);
	}
	return state;
}

/**
 * An event is a task with its outcome: `succeeded`, `failed`, or `noVideo` while its video may
 * still come.
 */
export interface Deduplication {
	/** Claims the mutex of a task, at once. */
	acquire: (taskId: string) => Lock;
	/**
	 * Whether a run was started for this event, or waits for the video of that task. `now`:
	 * milliseconds since 1970.
	 */
	has: (taskId: string, outcome: string, now: number) => boolean;
	/** Remembers an event of which it is not known yet whether n8n starts its run. */
	add: (taskId: string, outcome: string) => void;
	/**
	 * Writes an event into the static data of this request, which n8n saves only when it has started
	 * the run. It has to be written once more after that start
	 * (docs/n8n-behaviour.md#changed-static-data).
	 */
	write: (taskId: string, outcome: string) => void;
	/** Notes that n8n has started the run of an event, so that other requests save it too. */
	confirm: (taskId: string, outcome: string) => void;
	/** Notes that n8n has not started it: the event is forgotten. */
	rollback: (taskId: string, outcome: string) => void;
	/**
	 * Notes that a run waits for the video of a task until then (milliseconds since 1970), and stands
	 * for every outcome.
	 */
	awaitVideo: (taskId: string, until: number) => void;
	/**
	 * Notes the outcome that this run has given out. Does nothing where no run was known to wait. Not
	 * in the static data: n8n saves those of an execution whole, at its end, over all that callbacks
	 * and other nodes have saved since its start.
	 */
	confirmVideo: (taskId: string, outcome: string) => void;
}

/**
 * The events in the static data. `isForeign`: another version wrote them, so they are read and
 * never written.
 */
function storedEvents(staticData: IDataObject): { events: string[]; isForeign: boolean } {
	const stored: unknown = staticData[FIELD];
	const version = staticData[VERSION_FIELD] === undefined ? 1 : numberOf(staticData[VERSION_FIELD]);
	const list: unknown[] = Array.isArray(stored) ? stored : [];
	return {
		events: list.filter((event) => typeof event === 'string'),
		isForeign: version !== 1 && version !== VERSION,
	};
}

/** Drops the oldest events above the limit. */
function trim(events: Set<string>): Set<string> {
	for (const event of events) {
		if (events.size <= REMEMBERED_EVENTS) break;
		events.delete(event);
	}
	return events;
}

/**
 * The memory of one trigger node. `trigger` names the workflow and the node; `staticData` is the
 * node's own, as n8n loaded it for this request.
 */
export function deduplicationOf(trigger: string, staticData: IDataObject): Deduplication {
	const { events, pending, awaited, callbacks } = triggerStateOf(trigger);
	const stored = storedEvents(staticData);
	const write = (event: string): void => {
		if (stored.isForeign) return;
		// This process knows the newest events, so that of many requests at once none drops another's.
		// An event whose run has not started yet is saved by its own request only: if that start fails,
		// nothing must be left of it.
		const confirmed = [...events].filter((one) => !pending.has(one));
		const others = stored.events.filter((one) => !events.has(one));
		staticData[VERSION_FIELD] = VERSION;
		staticData[FIELD] = [...trim(new Set([...others, ...confirmed, event]))];
	};
	return {
		acquire: (taskId) => callbacks.acquire(taskId),
		has: (taskId, outcome, now) => {
			const event = `${taskId}:${outcome}`;
			return events.has(event) || stored.events.includes(event) || (awaited.get(taskId) ?? 0) > now;
		},
		add: (taskId, outcome) => {
			const event = `${taskId}:${outcome}`;
			write(event);
			trim(events.add(event));
			pending.add(event);
		},
		write: (taskId, outcome) => write(`${taskId}:${outcome}`),
		confirm: (taskId, outcome) => void pending.delete(`${taskId}:${outcome}`),
		rollback: (taskId, outcome) => {
			awaited.delete(taskId);
			pending.delete(`${taskId}:${outcome}`);
			events.delete(`${taskId}:${outcome}`);
		},
		awaitVideo: (taskId, until) => {
			awaited.delete(taskId);
			awaited.set(taskId, until);
			for (const oldest of awaited.keys()) {
				if (awaited.size <= REMEMBERED_EVENTS) break;
				awaited.delete(oldest);
			}
		},
		confirmVideo: (taskId, outcome) => {
			if (!awaited.delete(taskId)) return;
			trim(events.add(`${taskId}:${outcome}`));
		},
	};
}
