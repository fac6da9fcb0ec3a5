/**
 * Which events a trigger has already started a run for, so that a repeated callback starts none.
 *
 * Two memories, merged: one of this process, which is exact, and n8n's static data, which survives
 * a restart but is loaded and saved whole per request (docs/n8n-behaviour.md#static-data). One
 * process never runs an event twice; several webhook processes run it at least once.
 */
import type { IDataObject } from 'n8n-workflow';

import { numberOf } from '../shared/json';
import { KeyedMutex, type Lock } from '../shared/callback/keyedMutex';

/** Events that are remembered for each trigger node. */
export const REMEMBERED_EVENTS = 1000;
/** Trigger nodes of which this process remembers something. */
export const REMEMBERED_TRIGGERS = 1000;

/** Where the events stand in the node's static data, oldest first, and the number of their form. */
const FIELD = 'delivered';
const VERSION_FIELD = 'version';
/** What this package writes. Version 1 wrote no number and stored the events in the same way. */
const VERSION = 2;

/** What this process knows of one trigger node. */
interface TriggerState {
	/** `task_id:outcome`, oldest first. */
	events: Set<string>;
	/** Those of which it is not known yet whether n8n starts their run. */
	pending: Set<string>;
	/**
	 * By task whose video a run waits for: until when (milliseconds since 1970) that run speaks for
	 * every outcome.
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
	// The one that was asked for least recently makes way, unless a callback for it is under way.
	triggers.delete(trigger);
	triggers.set(trigger, state);
	for (const [oldest, { callbacks }] of triggers) {
		if (triggers.size <= REMEMBERED_TRIGGERS) break;
		if (callbacks.size === 0 && oldest !== trigger) triggers.delete(oldest);
	}
	return state;
}

/**
 * Each event is a task and what became of it: `succeeded`, `failed`, or `noVideo` while its video
 * may still come.
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
	/** Tells that n8n has started the run of an event, so that other requests save it too. */
	confirm: (taskId: string, outcome: string) => void;
	/** Tells that n8n has not started it: the event is forgotten. */
	rollback: (taskId: string, outcome: string) => void;
	/**
	 * Tells that a run waits for the video of a task, and until when (milliseconds since 1970) it
	 * speaks for every outcome.
	 */
	awaitVideo: (taskId: string, until: number) => void;
	/**
	 * Tells what that run has given out for the task. Nothing to tell where no run was known to wait.
	 */
	confirmVideo: (taskId: string, outcome: string) => void;
}

/**
 * What the static data holds. `isForeign`: another version wrote it, so it is read and never
 * written.
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
		// What this process knows is the newest, so that of many at once none drops another's event.
		// One whose run is not started yet is saved by its own request only, or it would be lost when
		// that fails.
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
