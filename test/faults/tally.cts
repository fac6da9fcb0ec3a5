// The counts of the fault suite: of one test file here, of all of them in the summary that run.mjs prints at the end.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { type Rule, type Verdict, type Whereabouts } from './judge.cjs';
import type { Story } from './perform.cjs';
import type { Stage } from './stage.cjs';

/** Where each test file leaves its counts for the summary; without it they are printed by each file. */
const FOLDER = process.env.SEEDANCE_FAULTS_COUNTS;
/** Milliseconds between two lines of progress. */
const PROGRESS_MS = 15_000;

export interface Counts {
	schedules: number;
	faults: Record<string, number>;
	posts: number;
	charges: number;
	refunds: number;
	runs: number;
	retries: number;
	stops: number;
	callbacks: number;
	timesUp: number;
	ids: Whereabouts;
	violations: Record<Rule, number>;
}

export class Tally {
	readonly counts: Counts = {
		schedules: 0,
		faults: {},
		posts: 0,
		charges: 0,
		refunds: 0,
		runs: 0,
		retries: 0,
		stops: 0,
		callbacks: 0,
		timesUp: 0,
		ids: { output: 0, error: 0, data: 0, log: 0, untold: 0 },
		violations: {
			'charged twice': 0,
			'sent again': 0,
			'id lost': 0,
			items: 0,
			'wrong outcome': 0,
			'went on': 0,
			'took too long': 0,
			'secret shown': 0,
			'resumed twice': 0,
			contract: 0,
		},
	};
	private told = Date.now();
	private readonly startedAt = Date.now();

	/** `name` stands before each line of progress, `total` is how many schedules there will be. */
	constructor(
		private readonly name: string,
		private readonly total: number,
	) {}

	/** Counts one schedule that was played and judged, and tells now and then how far it is. */
	add(
		stage: Stage,
		story: Pick<Story, 'episodes' | 'earlierPosts' | 'callbacks'>,
		{ violations, ids }: Verdict,
	): void {
		const { counts } = this;
		const { sandbox, book } = stage;
		const { episodes } = story;
		const of = (cause: string) => episodes.filter((episode) => episode.cause === cause).length;
		counts.schedules += 1;
		for (const { kind } of sandbox.faults.applied) {
			counts.faults[kind] = (counts.faults[kind] ?? 0) + 1;
		}
		counts.posts += book.posts.length - story.earlierPosts;
		const charges = book.posts
			.slice(story.earlierPosts)
			.map(({ entry }) => entry)
			.filter(({ accepted }) => accepted);
		counts.charges += charges.length;
		counts.refunds += charges.filter(({ refunded }) => refunded > 0).length;
		counts.runs += of('start');
		counts.retries += of('retry');
		counts.stops += episodes.filter(({ isStopped }) => isStopped).length;
		counts.callbacks += story.callbacks;
		counts.timesUp += of('timeUp');
		for (const place of ['output', 'error', 'data', 'log', 'untold'] as const) {
			counts.ids[place] += ids[place];
		}
		for (const { rule } of violations) counts.violations[rule] += 1;
		if (Date.now() - this.told < PROGRESS_MS) return;
		this.told = Date.now();
		this.say(`${counts.schedules} of ${this.total}`);
	}

	/** Leaves the counts for the summary. */
	close(): void {
		this.say(`${this.counts.schedules} of ${this.total}, done`);
		if (!FOLDER) {
			process.stdout.write(`${JSON.stringify(this.counts, undefined, 2)}\n`);
			return;
		}
		mkdirSync(FOLDER, { recursive: true });
		writeFileSync(join(FOLDER, `${this.name}.json`), JSON.stringify(this.counts));
	}

	private say(text: string): void {
		const seconds = Math.round((Date.now() - this.startedAt) / 1000);
		process.stdout.write(`faults, ${this.name}: ${text} (${seconds} s)\n`);
	}
}

/** One line per violation, and the schedule as it can be given to `perform`. */
export function complaint(story: Story, verdict: Verdict): string {
	return complaintOf(story.schedule, verdict);
}

/** One line per violation, and what was played. */
export function complaintOf(played: unknown, { violations }: Verdict): string {
	const lines = violations.map(({ rule, text }) => `${rule}: ${text}`);
	return `${lines.join('\n')}\n${JSON.stringify(played)}`;
}
