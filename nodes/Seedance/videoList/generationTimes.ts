/**
 * How long such videos took here, by the list of videos. It is read in the call that is made before
 * the wait anyway, so that it costs no call and delays no request.
 */
import { readyWindow } from '../../shared/api/pollInterval';
import {
	where,
	type Condition,
	type Row,
	type Step,
	type VideoList,
} from '../../shared/idempotency/videoList';
import { modelNamed } from '../../shared/task/models';
import type { Run } from '../run/run';

/** The columns that such videos have in common; the price distinguishes those with sound. */
const COMMON = ['model', 'resolution', 'duration', 'credits'] as const;
/** Rows that are read for each kind of video. */
const NEWEST = 20;

type Kind = Pick<Row, (typeof COMMON)[number]>;

const kindOf = (row: Kind): string => COMMON.map((column) => row[column]).join(' ');

/**
 * Whether a row holds values of this package. Its values become conditions, and n8n would evaluate
 * an expression that somebody has typed into the table.
 */
function isOurs({ model, resolution }: Row): boolean {
	const resolutions = modelNamed(model)?.resolutions;
	return resolutions !== undefined && ['', ...resolutions].includes(resolution);
}

/** The step that reads the last videos of these kinds; undefined where the table lacks a column. */
function reading(list: VideoList, all: readonly Row[]): (Step & { do: 'get' }) | undefined {
	const rows = all.filter(isOurs);
	if (rows.length === 0 || !list.has(...COMMON, 'seconds')) return undefined;
	const conditions = COMMON.flatMap((column): Condition[] => {
		const values = new Set(rows.map((row) => row[column]));
		const [value] = values;
		return values.size === 1 && value !== '' ? [where(column, value)] : [];
	});
	return {
		do: 'get',
		all: [where('status', 'SUCCESS'), where('seconds', 1, 'gte'), ...conditions],
		newest: NEWEST * new Set(rows.map(kindOf)).size,
	};
}

/**
 * Writes the outcome of the last request, and notes for each item of the run when such videos were
 * ready here. Never throws.
 */
export async function flushAndReadTimes({ listing, readyWindows: known }: Run): Promise<void> {
	const videos = listing?.videos;
	if (!videos) return;
	const wanted = [...videos.rows].filter(([, { task_id: taskId }]) => taskId !== '');
	const rows = wanted.map(([, row]) => row);
	const found = await videos.flush(reading(videos.list, rows));
	for (const [index, row] of wanted) {
		const alike = found.filter((one) => kindOf(one) === kindOf(row));
		const times = readyWindow(alike.map(({ seconds }) => seconds));
		if (times) known.set(index, times);
	}
}
