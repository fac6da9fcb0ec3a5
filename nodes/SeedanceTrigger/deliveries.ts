/**
 * Which events a trigger has already started a run for, so that a repeated callback starts none.
 *
 * Two memories, merged: one of this process, which is exact, and n8n's static data, which survives a restart
 * but is loaded and saved whole per request, so that of several at once the last one wins (measured). One
 * process never runs an event twice; several webhook processes run it at least once.
 */
import type { IDataObject } from 'n8n-workflow';

import { lineUp, type Lines, type Place } from '../shared/line';

/** Events that are remembered for each trigger node. */
export const REMEMBERED_EVENTS = 1000;

/** Where the events stand in the node's static data, oldest first. */
const FIELD = 'delivered';

/** What this process knows of one trigger node. */
interface Known {
	/** `task_id:outcome`, oldest first. */
	events: Set<string>;
	/** Those of which it is not known yet whether n8n starts their run. */
	pending: Set<string>;
	/** By task. */
	lines: Lines;
}

const triggers = new Map<string, Known>();

export interface Deliveries {
	/** Takes a place in the line of a task, at once. */
	lineUp: (taskId: string) => Place;
	/** Whether a run was started for this event. */
	has: (event: string) => boolean;
	/** Remembers an event, in this process and in the static data. */
	add: (event: string) => void;
	/**
	 * Writes an event into the static data once more, now that n8n has started its run. n8n 2 forgets while it does so that
	 * the data has changed, and would save only the first change of a workflow's life (measured in 2.41).
	 */
	save: (event: string) => void;
	/** Tells whether its run was started; forgets it otherwise. */
	settle: (event: string, isStarted: boolean) => void;
}

function storedEvents(staticData: IDataObject): string[] {
	const stored: unknown = staticData[FIELD];
	return Array.isArray(stored) ? stored.filter((event) => typeof event === 'string') : [];
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
 * The memory of one trigger node. `trigger` names the workflow and the node; `staticData` is the node's own, as n8n
 * loaded it for this request.
 */
export function deliveriesOf(trigger: string, staticData: IDataObject): Deliveries {
	const known: Known = triggers.get(trigger) ?? {
		events: new Set(),
		pending: new Set(),
		lines: new Map(),
	};
	triggers.set(trigger, known);
	const { events, pending, lines } = known;
	const stored = storedEvents(staticData);
	const write = (event: string): void => {
		// What this process knows is the newest, so that of many at once none drops another's event. One whose
		// run is not started yet is saved by its own request only, or it would be lost when that fails.
		const settled = [...events].filter((one) => !pending.has(one));
		const others = stored.filter((one) => !events.has(one));
		staticData[FIELD] = [...trim(new Set([...others, ...settled, event]))];
	};
	return {
		lineUp: (taskId) => lineUp(lines, taskId),
		has: (event) => events.has(event) || stored.includes(event),
		add: (event) => {
			write(event);
			trim(events.add(event));
			pending.add(event);
		},
		save: (event) => {
			pending.delete(event);
			write(event);
		},
		settle: (event, isStarted) => {
			pending.delete(event);
			if (!isStarted) events.delete(event);
		},
	};
}
