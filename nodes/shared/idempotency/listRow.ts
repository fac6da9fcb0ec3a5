/** Reading a row of the list of videos: every value is checked, since people may edit the table. */
import { numberOf, textOf } from '../json';
import type { Column, Row, RowStatus } from './videoList';

const STATUSES: ReadonlySet<string> = new Set<RowStatus>([
	'PENDING',
	'CLAIMED',
	'SENDING',
	'IN_PROGRESS',
	'SUCCESS',
	'FAILED',
	'UNCLEAR',
]);
const isStatus = (text: string): text is RowStatus => STATUSES.has(text);

function timeOf(value: unknown): number {
	if (value instanceof Date) return value.getTime();
	return Date.parse(textOf(value) ?? '') || 0;
}

const CHARGED = ['yes', 'no', 'unknown'] as const;

/** A row as it was read; undefined where it is none of this list's. Every value is checked. */
export function rowOf(found: Readonly<Record<string, unknown>>): Row | undefined {
	const id = numberOf(found.id);
	const status = textOf(found.status) ?? '';
	if (id === null || !isStatus(status)) return undefined;
	const text = (column: Column) => textOf(found[column]) ?? '';
	const number = (column: Column) => numberOf(found[column]) ?? 0;
	return {
		id,
		createdAt: timeOf(found.createdAt),
		video_key: text('video_key'),
		task_id: text('task_id'),
		status,
		handed_on: found.handed_on === true,
		prompt: text('prompt'),
		model: text('model'),
		resolution: text('resolution'),
		duration: number('duration'),
		credits: number('credits'),
		charged: CHARGED.find((word) => word === found.charged) ?? 'unknown',
		seconds: number('seconds'),
		budget_for: text('budget_for'),
		video_url: text('video_url'),
		error_message: text('error_message'),
		mode: found.mode === 'manual' ? 'manual' : 'production',
		workflow: text('workflow'),
		node: text('node'),
		execution_id: text('execution_id'),
		item: number('item'),
		claimed_until: text('claimed_until'),
		claim: text('claim'),
		identity: text('identity'),
		settings: text('settings'),
	};
}
