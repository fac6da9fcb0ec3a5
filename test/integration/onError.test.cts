// Several items of which some fail: what each setting of On Error gives, also for an unexpected error. Every item
// comes out, with its task where there is one, and none is called free of charge.
import * as result from '../../nodes/Seedance/run/result';
import * as submit from '../../nodes/Seedance/run/submit';
import * as watch from '../../nodes/Seedance/run/watch';
import * as download from '../../nodes/shared/api/download';
import * as memory from '../../nodes/shared/idempotency/executionMemory';
import * as identity from '../../nodes/shared/idempotency/identity';
import * as task from '../../nodes/shared/task/task';
import { SEEDANCE_TOOL, type LogLine, type Order } from '../support/engine.cjs';
import {
	all,
	CONTINUE,
	ERROR_OUTPUT,
	failureOf,
	seedanceWorld,
} from '../support/seedanceWorld.cjs';

const world = seedanceWorld();
const { run, runPrompts, existingTasks, waitFor, fault, posts, ids } = world;
const idsIn = ({ json }: Pick<Awaited<ReturnType<typeof run>>, 'json'>) =>
	json.map(({ task_id }) => task_id);

describe('a refused POST among several', () => {
	const INVALID = { kind: 'error', code: 'INVALID_PROMPT' } as const;

	it('with On Error = Stop ends the node at once and names what exists', async () => {
		fault('generate', INVALID, { prompt: 'c' });
		const { message, description, context } = failureOf(await runPrompts(['a', 'b', 'c', 'd']));
		expect(message).toBe(
			'2 of 4 videos are started and charged. The API refused the request: The prompt is invalid or empty. [item 2] (number 3 of 4)',
		);
		// Two were charged.
		expect(description).not.toContain('No credits were spent.');
		expect(description).toContain('names. This cost nothing.');
		expect(description).toContain('1 more item was not started and cost nothing.');
		expect(description).toContain('Click Retry in Executions');
		expect(description).toContain(`Task IDs: ${ids().join(', ')}.`);
		expect(context.tasks).toMatchObject([
			{ item: 0, task_id: ids()[0] },
			{ item: 1, task_id: ids()[1] },
			{ item: 2, error_code: 'invalid_input' },
			{ item: 3, error_code: 'not_created', charged: 'no' },
		]);
		expect([posts().length, ids().length, world.reads().length]).toEqual([3, 2, 0]);
	});
});

describe('an unexpected error', () => {
	type Spy = { mockRestore: () => void };
	/** What a test has broken, to be taken back: the engine's own clock and store stay as they are. */
	const broken: Spy[] = [];
	const mend = () => broken.splice(0).forEach((spy) => spy.mockRestore());
	afterEach(mend);
	const spoil = (arrange: () => Spy) => {
		mend();
		broken.push(arrange());
	};
	const oops = () => {
		throw new Error('Oops');
	};
	/** n8n's log cannot be written to, from the n-th task on. */
	const breakLog = (nth: number): Spy => {
		const { logs } = world.n8n;
		const push = logs.push.bind(logs);
		let created = 0;
		return jest.spyOn(logs, 'push').mockImplementation((...lines: LogLine[]) => {
			if (lines.some(({ text }) => / created \(/.test(text)) && (created += 1) >= nth) oops();
			return push(...lines);
		});
	};
	const breakWatch = () =>
		jest
			.spyOn(watch, 'watcherOf')
			.mockImplementationOnce(() => async () => await Promise.reject(new Error('Oops')));
	const runThree = async (node: Order['node'] = {}) => await runPrompts(['a', 'b', 'c'], { node });

	it.each<[string, () => Spy]>([
		['the wait', breakWatch],
		['the end of a task', () => jest.spyOn(task, 'hasEnded').mockImplementation(oops)],
		['a download', () => jest.spyOn(download, 'fetchVideo').mockImplementation(oops)],
		['the order of the results', () => jest.spyOn(result, 'forEveryItem').mockImplementation(oops)],
		['the log', () => breakLog(3)],
	])('in %s: every item comes out with its task, in every setting', async (_, arrange) => {
		spoil(arrange);
		const continued = await runThree(CONTINUE);
		expect(ids()).toHaveLength(3);
		expect(idsIn(continued)).toEqual(ids());
		const error_message = expect.stringContaining('Wait for Video');
		const expected = {
			succeeded: false,
			error_code: 'contact_lost',
			charged: 'unknown',
			error_message,
		};
		expect(continued.json).toMatchObject(all(3, expected));

		spoil(arrange);
		const { outputs } = await runThree(ERROR_OUTPUT);
		const details = outputs[1].map(({ json }) => Object(json.details));
		expect([outputs[0], idsIn({ json: details })]).toEqual([[], ids().slice(3)]);

		spoil(arrange);
		const stopped = await runThree();
		const { description, context } = failureOf(stopped);
		for (const id of ids().slice(6)) expect(description).toContain(id);
		expect(context).toMatchObject({ charged: 'unknown' });
		expect(JSON.stringify([continued.json, details, description])).not.toContain('No credits');
	});

	it.each<[string, () => Spy, number]>([
		[
			'before the first POST',
			() => jest.spyOn(identity, 'settingsKey').mockImplementation(oops),
			0,
		],
		['between two POSTs', () => breakLog(2), 2],
		[
			'in the memory of the execution',
			() => jest.spyOn(memory, 'executionMemory').mockImplementation(oops),
			0,
		],
	])('%s: the items come out, and no cost is claimed', async (_, arrange, count) => {
		spoil(arrange);
		const { json } = await runThree(CONTINUE);
		expect(idsIn({ json })).toEqual([...ids(), ...all(3 - count, null)]);
		expect(json).toMatchObject(all(3, { succeeded: false, charged: 'unknown' }));
		expect(JSON.stringify(json)).not.toContain('No credits were spent');
	});

	it.each([
		['wait', 'watchAll'],
		['status', 'readAll'],
	] as const)('in %s: every item keeps the ID it was given', async (operation, name) => {
		const taskIds = await existingTasks(2);
		spoil(() => jest.spyOn(watch, name).mockRejectedValue(new Error('Oops')));
		const ended = await waitFor(taskIds, { operation });
		expect(idsIn(ended)).toEqual(taskIds);
		expect(ended.json).toMatchObject(all(2, { error_code: 'contact_lost', charged: 'unknown' }));
	});

	it('as an AI tool: the model gets the ID, and a message not to generate again', async () => {
		spoil(breakWatch);
		const { json } = await run({ prompt: 'A boat' }, { node: { type: SEEDANCE_TOOL } });
		const next_step = expect.stringContaining('Do not generate again.');
		expect(json[0]).toMatchObject({ task_id: ids()[0], next_step });
	});

	it('is gone on with by a Retry, without paying again', async () => {
		spoil(breakWatch);
		const first = await runThree();
		failureOf(first);
		expect(idsIn(await world.n8n.retry(first))).toEqual(ids());
		expect(posts()).toHaveLength(3);
	});

	it('that forgets an item does not call it free of charge', async () => {
		const { submitAll } = submit;
		spoil(() =>
			jest
				.spyOn(submit, 'submitAll')
				.mockImplementation(async (...given) => (await submitAll(...given)).slice(0, 2)),
		);
		const { json } = await runThree(CONTINUE);
		expect(json.map(({ succeeded }) => succeeded)).toEqual([true, true, false]);
		expect(json[2]).toMatchObject({ charged: 'unknown' });
		expect(json[2].error_message).not.toContain('No credits were spent');
	});
});
