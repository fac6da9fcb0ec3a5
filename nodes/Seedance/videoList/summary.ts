/** The hints of a run about the list of videos, above its output. */
import { where, type Row, type VideoList } from '../../shared/idempotency/videoList';
import { LIST_NAME } from '../../shared/task/errors';
import { shorten } from '../../shared/text';
import { shortTime } from '../../shared/timeZone';
import type { Prepared } from '../run/prepare';
import type { Run } from '../run/run';
import { cellText } from './rowChanges';
import type { ClaimResult } from './claimVideos';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const count = (videos: number) => (videos === 1 ? 'a video' : `${videos} videos`);

/** Counts what the list did for a run, and words the hints. */
export class ListSummary {
	/** The table was made by this run. */
	isNew = false;
	/** Why there is no list, as the end of a sentence. */
	unavailable: string | undefined;
	/** Why something could not be written after the first request, as the end of a sentence. */
	writeError: string | undefined;
	private readonly reused: Array<{ row: Row; isOther: boolean }> = [];
	private readonly times = { takenOver: 0, join: 0, skip: 0 };
	private different: string | undefined;

	constructor(private readonly run: Run) {}

	/**
	 * `just now`, `5 minutes ago`, or `on 12 May` after a day. No time of day: n8n shows times in the
	 * zone of the browser, which a node does not know.
	 */
	private when(ms: number): string {
		const age = this.run.clock.now() - ms;
		if (age >= DAY_MS) {
			return `on ${shortTime(ms, this.run.clock.now(), this.run.context.getTimezone())}`;
		}
		if (age < MINUTE_MS) return 'just now';
		const [unitMs, unit] = age < HOUR_MS ? [MINUTE_MS, 'minute'] : [HOUR_MS, 'hour'];
		const number = Math.floor(age / unitMs);
		return `${number} ${unit}${number === 1 ? '' : 's'} ago`;
	}

	/** Whether the list knows all videos of this run, so that a new run goes on with each of them. */
	get isComplete(): boolean {
		return this.unavailable === undefined && this.writeError === undefined;
	}

	add(found: ClaimResult, item: Prepared | undefined): void {
		const { row } = found;
		if (found.do === 'takenOver' || found.do === 'join' || found.do === 'skip')
			this.times[found.do]++;
		if (found.do === 'reuse') {
			this.reused.push({ row, isOther: row.settings !== item?.listed?.settings });
		}
	}

	/**
	 * Finds what differs from the last run by hand, so that a video is paid for again. Throws what
	 * the list throws.
	 */
	async findDifference(list: VideoList, items: readonly Prepared[]): Promise<void> {
		const { node, context, executionId } = this.run;
		const since = new Date(list.now() - DAY_MS).toISOString();
		const rows = await list.run({
			do: 'get',
			all: [
				where('workflow', context.getWorkflow().id ?? ''),
				where('createdAt', since, 'gte'),
				where('mode', 'manual'),
			],
		});
		const before = rows
			.filter(
				(row) =>
					row.node === node.name &&
					row.handed_on &&
					row.status !== 'FAILED' &&
					row.execution_id !== executionId,
			)
			.sort((a, b) => b.id - a.id);
		for (const { itemIndex, model, body, listed } of items) {
			const row = before.find(({ item }) => item === itemIndex);
			// With equal settings, the earlier video has failed or is gone; with a key, settings do not
			// count.
			if (!row || listed?.videoKey || row.settings === listed?.settings) continue;
			const [changed] = [
				row.model !== model.value && 'Model',
				row.prompt !== body.prompt && 'Prompt',
				row.resolution !== cellText(body.resolution) && 'Resolution',
				row.duration !== Number(body.duration) && 'Duration',
			].filter((label) => label !== false);
			const what = changed ? `${changed} differs` : 'other settings differ';
			// A person who has typed a new prompt knows why, so only an expression gets advice.
			const isComputed = String(node.parameters.prompt).startsWith('=');
			const advice = isComputed
				? ' To get that one again, pin the node before this one, or set a Reuse Key.'
				: '';
			this.different = `Not reused: ${what} from the video made ${this.when(row.createdAt)}. This is a new one.${advice}`;
			return;
		}
	}

	/** The warning that these videos are in no list, which may cost credits later. */
	warning(): string | undefined {
		return this.unavailable === undefined
			? undefined
			: `These videos are not in the list of videos, because ${this.unavailable}. After Stop, a crash or in a new run they are paid for again.`;
	}

	/** The hints, each one or a few sentences. */
	hints(): string[] {
		const { takenOver, join, skip } = this.times;
		const [first] = this.reused;
		const other = this.reused.find(({ isOther }) => isOther)?.row;
		const same = first?.row.video_key ? 'same Reuse Key' : 'same settings';
		const which =
			this.reused.length === 1 && first
				? `the video made ${this.when(first.row.createdAt)}`
				: `${this.reused.length} videos of earlier runs`;
		const hints: Array<string | false | undefined> = [
			this.isNew &&
				`Created the Data Table ${LIST_NAME} (Overview → Data tables), so that a stopped or crashed run is not paid for twice. Project members can read its prompts; deleting it means paying again. Turn it off: Options → Keep Video List.`,
			this.writeError !== undefined &&
				this.unavailable === undefined &&
				`The list of videos could not be written, because ${this.writeError}. Nothing is lost; the next run may give these videos again.`,
			first &&
				`Reused ${which} (${same}): no credits were spent for ${this.reused.length === 1 ? 'it' : 'them'}. For a new one, set If Same Video Exists to Always Generate.`,
			other &&
				`Reuse Key ${shorten(other.video_key, 40)} gave the video made ${this.when(other.createdAt)} with another prompt or other settings. For a new one, change the key.`,
			takenOver > 0 &&
				`Took over ${count(takenOver)} of an earlier run: no credits were spent again.`,
			join > 0 &&
				`Shared ${count(join)} with another execution, which has paid: no credits were spent here.`,
			skip > 0 &&
				`Left out ${count(skip)}, handed on before: no credits were spent. To get the same again, set If Same Video Exists to Always Reuse.`,
			this.different,
		];
		return hints.filter((hint) => typeof hint === 'string');
	}
}
