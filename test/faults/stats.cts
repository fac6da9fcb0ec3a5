// The counts of the fault suite: of one test file here, of all of them in the summary that run.mjs prints at the end.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Harness } from './harness.cjs';
import { RULES, type Report } from './oracle/facts.cjs';
import type { Trace } from './runner.cjs';

/** Where each test file leaves its counts for the summary; without it they are printed by each file. */
const FOLDER = process.env.SEEDANCE_FAULTS_COUNTS;
/** Milliseconds between two lines of progress. */
const PROGRESS_MS = 15_000;

export class Stats {
	/** By the name that the summary shows. */
	private readonly counts: Record<string, number> = {};
	private schedules = 0;
	private toldAt = Date.now();
	private readonly startedAt = Date.now();

	/** `name` stands before each line of progress, `total` is how many schedules there will be. */
	constructor(
		private readonly name: string,
		private readonly total: number,
	) {
		for (const rule of RULES) this.count(`violations: ${rule}`, 0);
	}

	/** Counts one schedule that ran and was checked, and tells now and then how far it is. */
	add(
		{ sandbox, requests }: Harness,
		{ segments, earlierPosts, callbacks }: Pick<Trace, 'segments' | 'earlierPosts' | 'callbacks'>,
		{ violations, ids }: Report,
	): void {
		const causedBy = (cause: string) => segments.filter((one) => one.cause === cause).length;
		const posts = requests.posts.slice(earlierPosts).map(({ entry }) => entry);
		this.schedules += 1;
		this.count('schedules', 1);
		this.count('runs', causedBy('start'));
		this.count('retries of an execution', causedBy('retry'));
		this.count('pauses whose time was up', causedBy('timeUp'));
		this.count('stopped', segments.filter(({ isStopped }) => isStopped).length);
		this.count('callbacks', callbacks);
		this.count('POSTs', posts.length);
		this.count('charges', posts.filter(({ accepted }) => accepted).length);
		this.count('refunds', posts.filter(({ refunded }) => refunded > 0).length);
		for (const { kind } of sandbox.faults.applied) this.count(`faults: ${kind}`, 1);
		for (const [place, count] of Object.entries(ids)) this.count(`ids: ${place}`, count);
		for (const { rule } of violations) this.count(`violations: ${rule}`, 1);
		if (Date.now() - this.toldAt < PROGRESS_MS) return;
		this.toldAt = Date.now();
		this.tell();
	}

	/** Leaves the counts for the summary. */
	close(): void {
		this.tell();
		const counts = JSON.stringify(this.counts, undefined, 2);
		if (!FOLDER) return void process.stdout.write(`${counts}\n`);
		mkdirSync(FOLDER, { recursive: true });
		writeFileSync(join(FOLDER, `${this.name}.json`), counts);
	}

	private count(name: string, more: number): void {
		this.counts[name] = (this.counts[name] ?? 0) + more;
	}

	private tell(): void {
		const seconds = Math.round((Date.now() - this.startedAt) / 1000);
		const done = `${this.schedules} of ${this.total} schedules`;
		process.stdout.write(`faults, ${this.name}: ${done} (${seconds} s)\n`);
	}
}

/** One line per violation, and what ran; empty when nothing is wrong. */
export function describeFailure(schedule: unknown, { violations }: Report): string {
	if (violations.length === 0) return '';
	const lines = violations.map(({ rule, text }) => `${rule}: ${text}`);
	return `${lines.join('\n')}\n${JSON.stringify(schedule)}`;
}
