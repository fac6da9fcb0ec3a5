// What the test files of the fault suite share: a harness each, and counts, of which run.mjs prints a summary at the end.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { openHarness, type Harness } from './harness.cjs';
import { checkTrace } from './oracle.cjs';
import { RULES, type Report } from './oracle/facts.cjs';
import { runSchedule, type Trace } from './runner.cjs';
import type { Schedule } from './schedule.cjs';

/** Where each test file leaves its counts for the summary. */
const FOLDER = process.env.SEEDANCE_FAULTS_COUNTS;
/** Milliseconds between two lines of progress. */
const PROGRESS_MS = 15_000;

export class Suite {
	private opened: Harness | undefined;
	/** By the name that the summary shows. */
	private readonly counts = Object.fromEntries(RULES.map((rule) => [`violations: ${rule}`, 0]));
	private toldAt = Date.now();

	/** Registers the hooks that open the harness and close it; `name` stands before each line of progress. */
	constructor(readonly name: string) {
		beforeAll(async () => {
			this.opened = await openHarness();
		});
		afterAll(async () => {
			if (FOLDER) writeFileSync(join(FOLDER, `${name}.json`), JSON.stringify(this.counts));
			await this.opened?.close();
		});
	}

	get harness(): Harness {
		if (!this.opened) throw new Error('The harness is opened before the first test');
		return this.opened;
	}

	/** Runs a schedule and checks it. Gives one line per violation, and what ran; empty when nothing is wrong. */
	async check(schedule: Schedule, isCounted = true): Promise<string> {
		const trace = await runSchedule(this.harness, schedule);
		const report = checkTrace(this.harness, trace);
		if (isCounted) this.count(trace, report);
		return describeFailure(schedule, report);
	}

	count(
		{ segments, earlierPosts, callbacks }: Pick<Trace, 'segments' | 'earlierPosts' | 'callbacks'>,
		{ violations, ids }: Report,
	): void {
		const { sandbox, requests } = this.harness;
		const causedBy = (cause: string) => segments.filter((one) => one.cause === cause).length;
		const posts = requests.posts.slice(earlierPosts).map(({ entry }) => entry);
		const add = (name: string, more: number) => this.add(name, more);
		add('runs', causedBy('start'));
		add('retries of an execution', causedBy('retry'));
		add('pauses whose time was up', causedBy('timeUp'));
		add('stopped', segments.filter(({ isStopped }) => isStopped).length);
		add('callbacks', callbacks);
		add('POSTs', posts.length);
		add('charges', posts.filter(({ accepted }) => accepted).length);
		add(
			'charges of version 2',
			posts.filter(({ accepted, version }) => accepted && version === 2).length,
		);
		add('refunds', posts.filter(({ refunded }) => refunded > 0).length);
		for (const { kind } of sandbox.faults.applied) add(`faults: ${kind}`, 1);
		for (const [place, count] of Object.entries(ids)) add(`ids: ${place}`, count);
		this.countSchedule(violations);
	}

	add(name: string, more: number): void {
		this.counts[name] = (this.counts[name] ?? 0) + more;
	}

	/** Counts a schedule, and prints now and then how far it is. */
	countSchedule(violations: ReadonlyArray<{ rule: string }>): void {
		this.add('schedules', 1);
		for (const { rule } of violations) this.add(`violations: ${rule}`, 1);
		if (Date.now() - this.toldAt < PROGRESS_MS) return;
		this.toldAt = Date.now();
		process.stdout.write(`faults, ${this.name}: ${this.counts.schedules} schedules\n`);
	}
}

export function describeFailure(
	what: unknown,
	{ violations }: { violations: ReadonlyArray<{ rule: string; text: string }> },
): string {
	if (violations.length === 0) return '';
	const lines = violations.map(({ rule, text }) => `${rule}: ${text}`);
	return `${lines.join('\n')}\n${JSON.stringify(what)}`;
}
