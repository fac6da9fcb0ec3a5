// Records the examples and the schedules of the fault suite, one after the other on the same harness.
import { replaceCircularReferences, type INode } from 'n8n-workflow';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { gridOf, inAllSettings } from '../faults/grid.cjs';
import { CREDENTIAL, openHarness, type Harness } from '../faults/harness.cjs';
import { schedules, REGRESSIONS } from '../faults/schedule.cjs';
import { runSchedule } from '../faults/runner.cjs';
import type { Schedule } from '../faults/schedule.cjs';
import type { Run } from '../support/engine.cjs';
import * as fc from '../support/fastCheck.cjs';
import { startTaskAt } from '../support/tasks.cjs';

const EXAMPLES = join(__dirname, '..', '..', 'examples');
/** Prompts of the items; words in brackets decide how a task ends in the sandbox. */
const PROMPTS = ['A kite over the sea', 'A [fail] forbidden thing', 'A cat with [no video]'];
/** Virtual milliseconds after which every video has ended. */
const ALL_ENDED_MS = 200_000;

/** What differs from run to run, and what stands for it. */
const VARYING: ReadonlyArray<[RegExp, string]> = [
	[/\d{4}-\d\d-\d\dT\d\d:\d\d[\d:.]*(Z|[+-]\d\d:\d\d)/g, '<time>'],
	[/\w{3} \w{3} \d\d \d{4} [\d:]+ GMT\+\d{4}( \([^)]*\))?/g, '<time>'],
	[/\b1[5-9]\d{11}\b/g, '1500000000000'],
	[/\b9\d{15}\b/g, '9000000000000001'],
	[/127\.0\.0\.1:\d+/g, '127.0.0.1:<port>'],
	[/\b(seedance_sig|signature|token)=[\w.-]+/g, '$1=<secret>'],
	[/webhook-waiting\/\d+/g, 'webhook-waiting/<id>'],
	[/execution \d+/g, 'execution <id>'],
	[/ ~0\.[\d.e-]+/g, ' ~<random>'],
];

function normalized({ sandbox }: Harness, value: unknown): unknown {
	let text = sandbox.ledger.redact(JSON.stringify(replaceCircularReferences(value)));
	for (const [index, { id }] of sandbox.tasks.all().entries()) {
		if (/^seed(15|20)[\da-f]{12}[a-z]+$/.test(id)) text = text.replaceAll(id, `task${index + 1}`);
	}
	for (const [pattern, name] of VARYING) text = text.replace(pattern, name);
	// Requests of the same moment come in any order, and so do their log lines.
	return JSON.parse(text, (key, entry) =>
		['logs', 'reads', 'videos'].includes(key) ? entry.sort() : entry,
	);
}

/** What a person or a later node gets of a run. */
const recordOf = ({ status, outputs, error, hints }: Run, logs: readonly string[]) => ({
	status,
	outputs: outputs.map((items) =>
		items.map(({ json, binary = {}, pairedItem }) => ({
			json,
			pairedItem,
			files: Object.entries(binary).map(([field, { id, data, ...file }]) => ({ field, ...file })),
		})),
	),
	error,
	hints,
	logs,
});

/** Runs a node of an example to its end: a pause is resumed by the callback of each video. */
async function recordNode(harness: Harness, { type, parameters, onError }: INode) {
	const { n8n, sandbox, time, endOf } = harness;
	harness.reset();
	const task_id = await startTaskAt(sandbox, { prompt: 'A task of yesterday' });
	await time.sleep(ALL_ENDED_MS);
	const file = await n8n.storeFile(Buffer.from('89504e470d0a1a0a', 'hex'), 'a.png', 'image/png');
	const values = { prompt: 'A tea pot', resolution: '480p', duration: '4', aspect_ratio: '1:1' };
	let run = await n8n.run({
		parameters,
		items: PROMPTS.map((prompt) => ({
			json: { prompt, Prompt: prompt, task_id },
			binary: { Image: file },
		})),
		credential: CREDENTIAL,
		node: { onError },
		...(type.endsWith('Tool') && { toolCalls: [{ values: { ...values, task_id } }] }),
	});
	for (const task of sandbox.tasks.all()) {
		if (!run.data.waitTill) break;
		await time.sleep(Math.max(0, endOf(task) - time.now()));
		run = (await n8n.callback(run, {})).run ?? run;
	}
	const logs = run.logs.map(({ text }) => text);
	const posts = sandbox.ledger.posts().map(({ json, charged }) => ({ json, charged }));
	return normalized(harness, { ...recordOf(run, logs), answers: run.reached('Agent'), posts });
}

async function recordSchedule(harness: Harness, schedule: Schedule): Promise<unknown> {
	const { segments, callbacks, resumedTwice, leftOpen } = await runSchedule(harness, schedule);
	const { ledger, otherAccount, elsewhere } = harness.sandbox;
	/** The lines of a log, without stacks and what n8n adds to them. */
	const linesIn = (logs: string) =>
		logs
			.split('\n')
			.filter((line) => !/^\s+at /.test(line))
			.map((line) => line.replace(/ (\{".*)?$/, ''));
	return normalized(harness, {
		segments: segments.map(({ cause, run, isStopped, logs, posts, reads, videos, startedAt }) => {
			const timeOf = ({ entry, fault, at }: (typeof reads)[number] | (typeof videos)[number]) =>
				`${Math.round((at - startedAt) / 1000)} s: ${entry.answered} ${fault?.kind}`;
			return {
				...{ cause, isStopped, ...recordOf(run, linesIn(logs)) },
				posts: posts.map(({ entry: { rawBody, headers, at, ...entry } }) => entry),
				reads: reads.map(timeOf),
				videos: videos.map(timeOf),
			};
		}),
		callbacks: { callbacks, resumedTwice, leftOpen },
		balances: [ledger.balance, otherAccount.balance],
		breaches: ledger.breaches(),
		keyLeaks: ledger.keyLeaks.map(({ where }) => where),
		elsewhere: elsewhere.requests.length,
	});
}

/** By a name of its own, each schedule that runs. */
function schedulesToRun(every: number): Array<[string, Schedule]> {
	const named = (name: string, schedule: Schedule): [string, Schedule] => [name, schedule];
	const grid = gridOf(['generate', 'status', 'video'], true)
		.filter(({ isReached, part }) => isReached || part.downForJumps !== undefined)
		.flatMap((cell) =>
			inAllSettings(cell).map((one, nth) => named(`grid: ${cell.title}, setting ${nth + 1}`, one)),
		);
	const random = fc.sample(schedules, { seed: 1, numRuns: 3_000 });
	const all = grid.concat(random.map((one, nth) => named(`random ${nth + 1}`, one)));
	return REGRESSIONS.map(({ topic, what, schedule }) =>
		named(`regression, ${topic}: ${what}`, schedule),
	).concat(all.filter((_, index) => index % every === 0));
}

/** Expressions that draw a model or a word draw the same in each recording: these numbers in turn. */
function drawInTurn(): void {
	let draws = 0;
	Math.random = () => ((draws += 1) * 0.618) % 1;
}

/** By the name of each record, what it holds. `every`: of the grid and the random schedules, each so-manieth runs. */
export async function record(every: number): Promise<Record<string, unknown>> {
	const harness = await openHarness();
	const { time } = harness;
	const clock = time.clock.bind(time);
	// Jitter depends on which of the requests of a moment comes first; here all of them get the same.
	time.clock = (signal) => ({ ...clock(signal), random: () => 0.5 });
	const recording: Record<string, unknown> = {};
	try {
		for (const example of readdirSync(EXAMPLES).sort()) {
			const { nodes }: { nodes: INode[] } = JSON.parse(
				readFileSync(join(EXAMPLES, example), 'utf8'),
			);
			for (const node of nodes.filter(({ type }) => /\.seedance(Tool)?$/.test(type))) {
				recording[`example ${example}: ${node.name}`] = await recordNode(harness, node);
			}
		}
		for (const [name, schedule] of schedulesToRun(every)) {
			drawInTurn();
			recording[name] = await recordSchedule(harness, schedule);
		}
	} finally {
		await harness.close();
	}
	return recording;
}
