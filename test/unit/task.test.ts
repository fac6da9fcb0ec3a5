/** A task as the API tells it, and the item that the nodes give out. */
import * as fc from 'fast-check';

import * as tasks from '../../nodes/shared/task/task';

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

	const SUCCESS = 'SUCCESS SUCCEED SUCCEEDED COMPLETE COMPLETED DONE FINISHED'.split(' ');
	const FAILURE = 'FAIL FAILED FAILURE ERROR REJECTED CANCELLED CANCELED EXPIRED'.split(' ');

	it.each(SUCCESS.flatMap(spellings))('"%s" is success', (word) => {
		expect(stateOf(word)).toBe('succeeded');
	});

	it.each(FAILURE.flatMap(spellings))('"%s" is failure', (word) => {
		expect(stateOf(word)).toBe('failed');
	});

	it.each(
		['IN_PROGRESS', 'QUEUED', 'PENDING', 'RUNNING', 'PROCESSING', 'SOMETHING_NEW'].flatMap(
			spellings,
		),
	)('"%s" means that it is still being made', (word) => {
		expect(stateOf(word)).toBe('running');
	});

	it('is never an end that the API did not name', () => {
		const ends = [...SUCCESS, ...FAILURE];
		fc.assert(
			fc.property(fc.string(), (word) => {
				fc.pre(!ends.includes(word.trim().toUpperCase()));
				expect(stateOf(word)).toBe('running');
			}),
		);
	});
});

describe('the end of a task', () => {
	const of = (data: object) => {
		const task = readTask(ID, { task_id: ID, ...data });
		if (!task) throw new Error('not read');
		return { ended: tasks.hasEnded(task), video: tasks.hasVideo(task) };
	};

	it.each([
		['a success with its video', { status: 'DONE', response: [VIDEO] }, true, true],
		['a success without one, which may still come', { status: 'SUCCESS' }, false, false],
		['a failure', { status: 'REJECTED' }, true, false],
		['a failure with a link', { status: 'FAILED', response: [VIDEO] }, true, false],
		['a video that is being made', { status: 'QUEUED' }, false, false],
		[
			'one that is being made and has a link already',
			{ status: 'RUNNING', response: [VIDEO] },
			false,
			false,
		],
	])('is told by one definition: %s', (_name, data, ended, video) => {
		expect(of(data)).toEqual({ ended, video });
	});
});

describe('a task ID', () => {
	it.each([
		ID,
		'1',
		'12345678901234567891',
		'a/b:c?d',
		'with blank',
		'sèed',
		'任務',
		'seed🙂',
		'-1',
		'x'.repeat(500),
	])('may have any form, since the API promises none: %s', (text) => {
		expect(tasks.isTaskId(text)).toBe(true);
	});

	it.each([
		'',
		'{{ $json.task_id }}',
		'}}',
		'[object Object]',
		'undefined',
		'null',
		'NaN',
		'a\nb',
		'a\u0000b',
		'\ud800',
		'x'.repeat(501),
	])('is not what a broken expression leaves: %j', (text) => {
		expect(tasks.isTaskId(text)).toBe(false);
	});

	it.each(['undefined-1', 'seednull', 'NaNny'])('may hold such a word: %s', (text) => {
		expect(tasks.isTaskId(text)).toBe(true);
	});
});

describe('an item as the API gave it', () => {
	it('carries the ID that this node knows, whatever the API wrote there', () => {
		for (const raw of [
			{ task_id: '', status: 'SUCCESS' },
			{ status: 'SUCCESS' },
			{ task_id: null },
		]) {
			expect(tasks.rawItem(raw, ID)).toEqual({ ...raw, task_id: ID });
		}
	});

	it('stays as it is where this node knows none', () => {
		expect(tasks.rawItem({ a: 1 })).toEqual({ a: 1 });
	});

	it('never has an error at its top, for which older n8n runs a node again', () => {
		expect(tasks.rawItem({ error: null, a: { error: 1 } }, ID)).toEqual({
			a: { error: 1 },
			task_id: ID,
		});
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

	it('says nothing of a task where another one goes by another name', () => {
		expect(readTask(ID, { ...DATA, task_id: undefined, taskId: 'foreign' })).toBeUndefined();
		expect(readTask(ID, { ...DATA, task_id: '', taskId: ID })?.taskId).toBe(ID);
	});

	it('knows its task by a number too', () => {
		expect(readTask('42', { ...DATA, task_id: 42 })?.taskId).toBe('42');
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

	it.each([
		['a list of objects', { response: [{ url: VIDEO }] }],
		['an object', { response: { url: VIDEO } }],
		['video_url', { response: [{ video_url: VIDEO }] }],
		['video as an object', { response: { video: { url: VIDEO } } }],
		['videos', { response: { videos: [{ url: VIDEO }] } }],
		['a result in it', { response: { result: { video_url: VIDEO } } }],
		['beside it', { response: [], video_url: VIDEO }],
		['beside it in camel case', { response: null, videoUrl: VIDEO }],
		['an output', { response: undefined, output: [VIDEO] }],
		['after something that is none', { response: ['', null, VIDEO] }],
		['with blanks around it', { response: [` ${VIDEO}\n`] }],
	])('finds the video in other forms: %s', (_name, form) => {
		expect(readTask(ID, { ...DATA, ...form })?.videoUrl).toBe(VIDEO);
	});

	it("never takes a link of the user's own request for the video", () => {
		const request = { ...DATA.request, image_urls: ['https://x/a.png'], url: 'https://x/b' };
		expect(readTask(ID, { ...DATA, response: [], request })?.videoUrl).toBeNull();
	});

	it.each([
		['error_message', { error_message: 'why' }],
		['error_message as an object', { error_message: { message: 'why' } }],
		['error', { error: 'why' }],
		['error.message', { error: { code: 'X', message: 'why' } }],
		['fail_reason', { fail_reason: 'why' }],
		['failMsg', { failMsg: 'why' }],
		['message', { message: 'why' }],
		['detail in a list', { detail: [{ msg: 'why' }] }],
	])('of a failed task shows the reason wherever it stands: %s', (_name, data) => {
		expect(readTask(ID, { status: 'FAILED', ...data })?.errorMessage).toBe('why');
	});

	it('of a failed task takes no reason from the request', () => {
		const request = { message: 'a cat', error: 'a dog' };
		expect(readTask(ID, { status: 'FAILED', request })?.errorMessage).toBeNull();
	});

	it('of a task that has not failed makes no reason of a message', () => {
		expect(readTask(ID, { status: 'RUNNING', message: 'in the queue' })?.errorMessage).toBeNull();
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

describe('a form that nobody has listed', () => {
	const VIDEO = 'https://cdn.example.com/v.mp4';
	const urlIn = (more: object) =>
		readTask('t', { task_id: 't', status: 'SUCCESS', ...more })?.videoUrl ?? null;

	it.each([
		{ content: { video_url: VIDEO } },
		{ outputs: [VIDEO] },
		{ response: { result_urls: [VIDEO] } },
		{ response: { VideoURL: VIDEO } },
		{ output_video: { url: VIDEO } },
		{ results: [{ media: { urls: [VIDEO] } }] },
	])('of the link is found by what its name speaks of: %j', (more) => {
		expect(urlIn(more)).toBe(VIDEO);
	});

	it.each([
		{ status_url: VIDEO },
		{ cover_image: { url: VIDEO } },
		{ video_cover_url: VIDEO },
		{ last_frame_url: VIDEO },
		{ callback_url: VIDEO },
		{ urls: { get: VIDEO, cancel: VIDEO } },
		{ request: { image_urls: [VIDEO], video_url: VIDEO } },
		{ input: { video: VIDEO } },
	])('of another address is no video: %j', (more) => {
		expect(urlIn(more)).toBeNull();
	});

	it.each([
		{ failure_reason: 'why' },
		{ fail_message: 'why' },
		{ StatusMessage: 'why' },
		{ moderation: { description: 'why' } },
		{ rejection: ['why'] },
	])('of the reason is shown: %j', (more) => {
		expect(readTask('t', { status: 'FAILED', ...more })?.errorMessage).toBe('why');
	});
});
