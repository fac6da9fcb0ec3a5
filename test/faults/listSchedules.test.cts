import * as fc from 'fast-check';
import { openHarness, type Harness } from './harness.cjs';
import { listRunner, listSchedules } from './listSchedules.cjs';
import { checkListTrace } from './listOracle.cjs';
let harness: Harness;
beforeAll(async () => {
	harness = await openHarness();
});
afterAll(async () => await harness.close());
it('runs', async () => {
	const run = listRunner(harness);
	const counts: Record<string, number> = {};
	let at = 0;
	const only = process.env.ONLY ? Number(process.env.ONLY) : undefined;
	for (const schedule of fc.sample(listSchedules, {
		seed: Number(process.env.SEED ?? 3),
		numRuns: Number(process.env.SCHEDULES ?? 100),
	})) {
		at += 1;
		if (only !== undefined && at !== only) continue;
		const trace = await run(schedule);
		for (const e of trace.executions) counts[`met ${e.met}`] = (counts[`met ${e.met}`] ?? 0) + 1;
		const found = checkListTrace(harness, trace);
		for (const { rule } of found) counts[rule] = (counts[rule] ?? 0) + 1;
		if (found.length)
			process.stdout.write(
				`#${at} ${found.map(({ rule, text }) => `${rule}: ${text}`).join('\n   ')}\n   ${JSON.stringify(
					{
						...schedule,
						endings: Object.values(schedule.endings)
							.map((e) => e.ends + e.seconds)
							.join(),
					},
				)}\n`,
			);
		if (only !== undefined)
			process.stdout.write(
				JSON.stringify(
					{
						rows: trace.rows,
						posts: trace.posts.map(({ execution, name, order, entry, fault, row }) => ({
							e: execution.nth,
							name,
							order,
							task: entry.taskId,
							acc: entry.accepted,
							ans: entry.answered,
							fault: fault?.kind,
							row: row?.id,
						})),
						ex: trace.executions.map((e) => ({
							nth: e.nth,
							id: e.id,
							began: e.beganAt,
							ended: e.endedAt,
							met: e.met,
							left: e.isLeft,
							late: e.handedOnLate,
							ofz: e.frozenUntil,
							status: e.run?.status,
							out: e.run?.outputs.map((o) => o.map((i) => i.json)),
							err: e.run?.error?.message,
							hints: e.run?.hints,
						})),
					},
					null,
					1,
				) + '\n',
			);
	}
	process.stdout.write(JSON.stringify(counts) + '\n');
}, 3000000);
