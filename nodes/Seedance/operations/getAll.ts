/** Get Many: lists the videos that this project has paid for. No request, no credits. */
import type { IDataObject } from 'n8n-workflow';

import { openDataTableList } from '../../shared/idempotency/dataTableList';
import {
	where,
	type Condition,
	type Row,
	type VideoList,
} from '../../shared/idempotency/videoList';
import { isObject, numberOf, textOf, without } from '../../shared/json';
import { invalidInput, LIST_NAME, listUnreadable } from '../../shared/task/errors';
import { isDate, isEmpty, quote, switchOf } from '../../shared/task/values';
import { filterFields, isOnByDefault } from '../description/filterFields';
import { simplify } from '../description/resultFields';
import { FieldError, fieldRef, switchParameter, readValue } from '../run/fieldReading';
import { fieldProblems } from '../run/parameters';
import { NO_SEED, type Result } from '../run/result';
import type { Run } from '../run/run';
import type { Operation } from './operation';

const NO_LIST = `There is no Data Table ${LIST_NAME} in this project yet. The first video makes it.`;

const STATUSES = ['FAILED', 'IN_PROGRESS', 'SUCCESS'] as const;

interface Filters {
	limit: number;
	since?: string;
	status?: string;
	includesManual: boolean;
	notFinished: boolean;
	notHandedOn: boolean;
	isOwnOnly: boolean;
}

/** The ISO time of Since; undefined where it is empty. Throws a {@link FieldError}. */
function sinceOf(value: unknown): string | undefined {
	if (isEmpty(value)) return undefined;
	const ms = isDate(value) ? Number(value) : Date.parse(textOf(value) ?? '');
	if (!Number.isNaN(ms)) return new Date(ms).toISOString();
	throw new FieldError([
		`Since ${quote(value)} is not a date. Choose one, or use an expression such as {{ $now.minus(1, 'day') }}.`,
	]);
}

/** The status of Status; undefined where it is empty. Throws a {@link FieldError}. */
function statusOf(value: unknown): string | undefined {
	if (isEmpty(value)) return undefined;
	const found = STATUSES.find((one) => one === textOf(value));
	if (found !== undefined) return found;
	throw new FieldError([
		`Status ${quote(value)} is not supported. Allowed: ${STATUSES.join(', ')}.`,
	]);
}

/** Reads the filters of one item. Throws a {@link FieldError}. */
function readFilters({ context }: Run, itemIndex: number): Filters {
	const returnsAll = switchParameter(context, itemIndex, 'returnAll', false);
	const limit = numberOf(readValue(context, fieldRef(itemIndex, 'limit'), 50));
	if (!returnsAll && (limit === null || limit < 1)) {
		throw new FieldError(['Limit must be a number of at least 1.']);
	}
	const given = readValue(context, fieldRef(itemIndex, 'filters'), {});
	const filters: Record<string, unknown> = isObject(given) ? given : {};
	const since = sinceOf(filters.since);
	const status = statusOf(filters.status);
	/** One that was added and whose expression gives nothing is as the editor shows it first. */
	const isOn = (name: string) =>
		Object.hasOwn(filters, name) && (switchOf(filters[name]) ?? isOnByDefault(name));
	return {
		limit: returnsAll ? Infinity : (limit ?? 50),
		...(since !== undefined && { since }),
		...(status !== undefined && { status }),
		includesManual: isOn('includeManual'),
		notFinished: isOn('notFinished'),
		notHandedOn: isOn('notHandedOn'),
		isOwnOnly: isOn('thisWorkflowOnly'),
	};
}

/** Nothing was sent for a reserved row, so it is no video. */
const isVideo = ({ status }: Row) => status !== 'PENDING' && status !== 'CLAIMED';

/** Whether a row passes the filters that a Data Table does not have. */
function passes(row: Row, filters: Filters, list: VideoList): boolean {
	const isHeld = row.claim !== '' && Date.parse(row.claimed_until) > list.now();
	const isWaiting = !row.handed_on && row.task_id !== '' && !isHeld;
	return (
		isVideo(row) &&
		(filters.includesManual || row.mode !== 'manual') &&
		(!filters.notHandedOn || isWaiting) &&
		(!filters.notFinished || row.status === 'IN_PROGRESS')
	);
}

/** Why nothing was found, where a person would not expect that. */
function whyNone(rows: readonly Row[], filters: Filters, list: VideoList): string | undefined {
	const byHand = rows.filter((row) => passes(row, { ...filters, includesManual: true }, list));
	if (byHand.length === 0) return 'No video in the list matches.';
	const [what, them] =
		byHand.length === 1 ? ['1 video was', 'it'] : [`${byHand.length} videos were`, 'them'];
	return `${what} left out, made by runs in the editor. To list ${them}, add the filter Include Manual Runs.`;
}

/** A row in the fixed shape of a video, with the fields that only the list has. */
function itemOf(row: Row): IDataObject {
	const status = STATUSES.find((one) => one === row.status) ?? null;
	return {
		task_id: row.task_id || null,
		status,
		finished: status === 'SUCCESS' || status === 'FAILED',
		succeeded: status === 'SUCCESS',
		video_url: row.video_url || null,
		model: row.model || null,
		prompt: row.prompt,
		consumed_credits: row.charged === 'unknown' ? null : row.credits,
		estimated_credits: row.credits,
		created_at: new Date(row.createdAt).toISOString(),
		reused: false,
		error_message: row.error_message || null,
		video_key: row.video_key || null,
		handed_on: row.handed_on,
		workflow: row.workflow,
		execution_id: row.execution_id,
		mode: row.mode,
	};
}

/** The row with its own columns, without those that only identify runs and videos. */
const rawOf = (row: Row): IDataObject => ({
	...without({ ...row }, 'claim', 'identity', 'settings', 'createdAt'),
	created_at: new Date(row.createdAt).toISOString(),
});

async function getMany(run: Run, itemIndex: number): Promise<Result> {
	const { context } = run;
	let filters: Filters;
	let isSimple: boolean;
	try {
		filters = readFilters(run, itemIndex);
		isSimple = switchParameter(context, itemIndex, 'simplify', true);
	} catch (error) {
		return { seed: NO_SEED, problem: invalidInput(fieldProblems(error)) };
	}
	try {
		const opened = await openDataTableList(context, false);
		if (!opened) return { seed: NO_SEED, items: [], note: NO_LIST };
		const { list } = opened;
		const workflowId = context.getWorkflow().id ?? '';
		const all: Condition[] = [
			...(filters.isOwnOnly ? [where('workflow', workflowId)] : []),
			...(filters.status === undefined ? [] : [where('status', filters.status)]),
			...(filters.since === undefined ? [] : [where('createdAt', filters.since, 'gte')]),
			...(filters.notHandedOn ? [where('handed_on', false)] : []),
		];
		const found = await list.run({ do: 'get', all });
		const rows = found.filter((row) => passes(row, filters, list));
		const newest = rows.sort((a, b) => b.id - a.id).slice(0, filters.limit);
		const items = newest.map(isSimple ? itemOf : rawOf);
		const note = items.length ? undefined : whyNone(found, filters, list);
		return { seed: NO_SEED, items, ...(note !== undefined && { note }) };
	} catch (error) {
		const reason = error instanceof Error ? error.message : '';
		return { seed: NO_SEED, problem: listUnreadable(reason) };
	}
}

export const getAll: Operation = {
	label: 'Get Many',
	action: 'Get many videos',
	description: 'List the videos that this project has paid for',
	fields: [...filterFields, simplify],
	callsApi: false,
	run: async (run) => {
		const results: Result[] = [];
		for (const itemIndex of run.input.keys()) results.push(await getMany(run, itemIndex));
		return results;
	},
};
