/** A task as the API tells it, and the item that the nodes give out. */
import * as fc from 'fast-check';

import * as tasks from '../../nodes/shared/task';

const { stateOf, taskItem, unreadTaskItem } = tasks;

const ID = 'seed15abc123def456pro';
/** Stands for the account's key. */
const ACCOUNT = 'sk-seedance-0123456789';
const VIDEO = 'https://cdn.example.com/videos/seed15abc123def456pro.mp4';

/** `data` of the documentation's own example. */
const DATA = {
	task_id: ID,
	status: 'SUCCESS',
	consumed_credits: 28,
	created_at: '2026-02-07T10:30:00Z',
	request: { prompt: 'a cat', aspect_ratio: '16:9', resolution: '720p', duration: '8' },
	response: [VIDEO],
	error_message: null,
};

const FIELDS = [
	'task_id',
	'status',
	'finished',
	'succeeded',
	'video_url',
	'prompt',
	'consumed_credits',
	'estimated_credits',
	'created_at',
	'error_message',
];

const readTask = (taskId: string, data: unknown) => tasks.readTask(taskId, data, ACCOUNT);

describe('the state behind a status word', () => {
	const spellings = (word: string) => [
		word,
		word.toLowerCase(),
		` ${word[0]}${word.slice(1).toLowerCase()} `,
	];

	it.each(['SUCCESS', 'SUCCEEDED', 'COMPLETED'].flatMap(spellings))('"%s" is success', (word) => {
		expect(stateOf(word)).toBe('succeeded');
	});

	it.each(['FAILED', 'ERROR', 'CANCELLED', 'CANCELED', 'EXPIRED'].flatMap(spellings))(
		'"%s" is failure',
		(word) => {
			expect(stateOf(word)).toBe('failed');
		},
	);

	it.each(
		['IN_PROGRESS', 'QUEUED', 'PENDING', 'RUNNING', 'PROCESSING', 'SOMETHING_NEW'].flatMap(
			spellings,
		),
	)('"%s" means that it is still being made', (word) => {
		expect(stateOf(word)).toBe('running');
	});

	it('is never an end that the API did not name', () => {
		const ends = /^(SUCCESS|SUCCEEDED|COMPLETED|FAILED|ERROR|CANCELLED|CANCELED|EXPIRED)$/i;
		fc.assert(
			fc.property(fc.string(), (word) => {
				fc.pre(!ends.test(word.trim()));
				expect(stateOf(word)).toBe('running');
			}),
		);
	});
});

describe('a reading of a task', () => {
	it('tells everything of the documented example', () => {
		expect(readTask(ID, DATA)).toEqual({
			taskId: ID,
			state: 'succeeded',
			statusWord: 'SUCCESS',
			videoUrl: VIDEO,
			prompt: 'a cat',
			consumedCredits: 28,
			estimatedCredits: 28,
			createdAt: '2026-02-07T10:30:00Z',
			errorMessage: null,
			raw: DATA,
		});
	});

	it('keeps the API’s own word and JSON in Raw, less the callback URL', () => {
		const task = readTask(ID, {
			...DATA,
			status: 'Completed',
			extra: { kept: true },
			request: { ...DATA.request, callback_url: 'https://n8n.example.com/w?seedance_sig=x' },
		});
		expect(task?.statusWord).toBe('Completed');
		expect(task?.raw).toEqual({ ...DATA, status: 'Completed', extra: { kept: true } });
	});

	it('says nothing of a task where the answer is about another one', () => {
		expect(readTask(ID, { ...DATA, task_id: 'seed-of-somebody-else' })).toBeUndefined();
	});

	it('takes an answer that does not repeat the id for the task that was asked for', () => {
		expect(readTask(ID, { ...DATA, task_id: undefined })?.taskId).toBe(ID);
	});

	it.each([
		undefined,
		null,
		'x',
		1,
		[],
		{},
		{ task_id: ID },
		{ task_id: ID, status: '' },
		{ status: {} },
	])('is none where there is no status: %j', (data) => {
		expect(readTask(ID, data)).toBeUndefined();
	});

	it.each([[[]], [null], [undefined], [''], [[null]], [['']], [{}], [['not a link']], [[{}]]])(
		'finds no video in %j',
		(response) => {
			const task = readTask(ID, { ...DATA, response });
			expect(task?.state).toBe('succeeded');
			expect(task?.videoUrl).toBeNull();
		},
	);

	it('takes the first video, also from a bare text', () => {
		expect(readTask(ID, { ...DATA, response: [VIDEO, 'https://b'] })?.videoUrl).toBe(VIDEO);
		expect(readTask(ID, { ...DATA, response: VIDEO })?.videoUrl).toBe(VIDEO);
	});

	it('shows no reason that is a web page, and no API key in a reason', () => {
		const reasonOf = (reason: unknown) =>
			readTask(ID, { ...DATA, error_message: reason })?.errorMessage;
		expect(reasonOf('<html><body>502</body></html>')).toBeNull();
		expect(reasonOf(`key ${ACCOUNT} has no quota`)).toBe('key *** has no quota');
		expect(reasonOf('')).toBeNull();
		expect(reasonOf({})).toBeNull();
	});

	it('gives the credits as numbers, from text too, and null while they are not known', () => {
		expect(readTask(ID, { ...DATA, consumed_credits: '28' })?.consumedCredits).toBe(28);
		expect(readTask(ID, { ...DATA, consumed_credits: 0 })?.consumedCredits).toBe(0);
		expect(readTask(ID, { ...DATA, consumed_credits: null })?.consumedCredits).toBeNull();
	});

	it('estimates by the price table from the echo of the request', () => {
		const request = { ...DATA.request, generate_audio: true };
		expect(readTask(ID, { ...DATA, request })?.estimatedCredits).toBe(56);
		expect(readTask(ID, { ...DATA, request: { prompt: 'x' } })?.estimatedCredits).toBeNull();
		expect(readTask(ID, { ...DATA, request: undefined })?.estimatedCredits).toBeNull();
	});

	it('never throws, whatever the API sends', () => {
		fc.assert(
			fc.property(fc.jsonValue(), fc.jsonValue(), fc.jsonValue(), (status, request, response) => {
				const task = readTask(ID, { status, request, response });
				if (task) expect(Object.keys(taskItem(task))).toEqual(FIELDS);
			}),
		);
	});
});

describe('the item of a task', () => {
	const itemOf = (data: object) => {
		const task = readTask(ID, { ...DATA, ...data });
		if (!task) throw new Error('not read');
		return taskItem(task);
	};

	it('has its fixed shape for a finished video', () => {
		expect(itemOf({})).toEqual({
			task_id: ID,
			status: 'SUCCESS',
			finished: true,
			succeeded: true,
			video_url: VIDEO,
			prompt: 'a cat',
			consumed_credits: 28,
			estimated_credits: 28,
			created_at: '2026-02-07T10:30:00Z',
			error_message: null,
		});
	});

	it('has the same shape, with null instead of absent, when the API tells nothing', () => {
		const task = readTask(ID, { status: 'x' });
		expect(task && taskItem(task)).toEqual({
			task_id: ID,
			status: 'IN_PROGRESS',
			finished: false,
			succeeded: false,
			video_url: null,
			prompt: null,
			consumed_credits: null,
			estimated_credits: null,
			created_at: null,
			error_message: null,
		});
	});

	it.each([
		['queued', 'IN_PROGRESS', false, false],
		['succeeded', 'SUCCESS', true, true],
		['Completed', 'SUCCESS', true, true],
		['EXPIRED', 'FAILED', true, false],
		['cancelled', 'FAILED', true, false],
	])('normalises "%s" to %s', (word, status, finished, succeeded) => {
		expect(itemOf({ status: word })).toMatchObject({ status, finished, succeeded });
	});

	it('has not succeeded when there is no video', () => {
		expect(itemOf({ response: [] })).toMatchObject({
			status: 'SUCCESS',
			finished: true,
			succeeded: false,
			video_url: null,
		});
	});

	it('tells why a task failed, without an `error` key', () => {
		const item = itemOf({ status: 'FAILED', response: null, error_message: 'NSFW content' });
		expect(item.error_message).toBe('NSFW content');
		expect(item).not.toHaveProperty('error');
	});

	it('is filled with what is known where the API does not repeat it', () => {
		const task = readTask(ID, { status: 'IN_PROGRESS' });
		const known = { taskId: ID, prompt: 'a dog', estimatedCredits: 14 };
		expect(task && taskItem(task, known)).toMatchObject({ prompt: 'a dog', estimated_credits: 14 });
	});

	it('goes by the prompt that the API tells, and by the estimate of what was really sent', () => {
		const task = readTask(ID, DATA);
		// The documented echo of a request leaves out the audio, which doubles the price.
		const known = { taskId: ID, prompt: 'a dog', estimatedCredits: 56 };
		expect(task && taskItem(task, known)).toMatchObject({ prompt: 'a cat', estimated_credits: 56 });
	});

	it('is estimated from the echo where nothing else is known', () => {
		const task = readTask(ID, DATA);
		const known = { taskId: ID, prompt: null, estimatedCredits: null };
		expect(task && taskItem(task, known)).toMatchObject({ prompt: 'a cat', estimated_credits: 28 });
	});

	it('of a task that was not read yet is in progress', () => {
		const item = unreadTaskItem({ taskId: ID, prompt: 'a cat', estimatedCredits: 28 });
		expect(Object.keys(item)).toEqual(FIELDS);
		expect(item).toMatchObject({
			task_id: ID,
			status: 'IN_PROGRESS',
			finished: false,
			succeeded: false,
			estimated_credits: 28,
		});
	});

	it('of a task that never came to be is at its end, without a status', () => {
		const item = unreadTaskItem({ taskId: null, prompt: 'a cat', estimatedCredits: 28 }, false);
		expect(Object.keys(item)).toEqual(FIELDS);
		expect(item).toMatchObject({ task_id: null, status: null, finished: true, succeeded: false });
	});
});
