/** A task as the API tells it, and the item that the nodes give out. */
import * as fc from 'fast-check';

import * as tasks from '../../nodes/shared/task/task';
import forms from '../fixtures/taskForms.json';

const { isTaskId, rawItem, stateOf, taskItem, unreadTaskItem } = tasks;

const ID = 'seed15abc123def456pro';
/** Stands for the account's key. */
const OWNER = 'sk-seedance-0123456789';
const VIDEO = 'https://cdn.example.com/v.mp4';

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
/** The item of it. */
const ITEM = {
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
};
const NOTHING = Object.fromEntries(Object.keys(ITEM).map((name) => [name, null]));

const read = (data: unknown, taskId = ID) => tasks.readTask(taskId, data, OWNER);
/** The reading of data that is a state of the task. */
function taskOf(data: object) {
	const task = read(data);
	if (!task) throw new Error('not read');
	return task;
}

describe('the state behind a status word', () => {
	const WORDS = {
		succeeded: 'SUCCESS SUCCEED SUCCEEDED COMPLETE COMPLETED DONE FINISHED'.split(' '),
		failed: 'FAIL FAILED FAILURE ERROR REJECTED CANCELLED CANCELED EXPIRED'.split(' '),
		running: 'IN_PROGRESS QUEUED PENDING RUNNING PROCESSING SOMETHING_NEW'.split(' '),
	};

	it.each(Object.entries(WORDS))('is %s for %j, in any case', (state, words) => {
		for (const word of words) {
			const capital = ` ${word[0]}${word.slice(1).toLowerCase()} `;
			expect([word, word.toLowerCase(), capital].map(stateOf)).toEqual([state, state, state]);
		}
	});

	it('is never an end that the API did not name', () => {
		const ends = [...WORDS.succeeded, ...WORDS.failed];
		fc.assert(
			fc.property(fc.string(), (word) => {
				fc.pre(!ends.includes(word.trim().toUpperCase()));
				expect(stateOf(word)).toBe('running');
			}),
		);
	});

	it.each([
		['DONE', [VIDEO], true, true],
		// Its video may still come.
		['SUCCESS', undefined, false, false],
		['REJECTED', undefined, true, false],
		['FAILED', [VIDEO], true, false],
		['QUEUED', undefined, false, false],
		['RUNNING', [VIDEO], false, false],
	])('%s with %j: has ended %p, has a video %p', (status, response, hasEnded, hasVideo) => {
		const task = taskOf({ status, response });
		expect(tasks.hasEnded(task)).toBe(hasEnded);
		expect(tasks.hasVideo(task)).toBe(hasVideo);
	});
});

it.each([
	[true, [...forms.ids, 'x'.repeat(500)]],
	[false, [...forms.noIds, 'x'.repeat(501)]],
])('a task ID may have any form but what a broken expression leaves: %p for %j', (isId, texts) => {
	expect(texts.map(isTaskId)).toEqual(texts.map(() => isId));
});

describe('an item as the API gave it', () => {
	it('carries the ID that this node knows, whatever the API wrote there', () => {
		for (const raw of [{ task_id: '', status: 'x' }, { status: 'x' }, { task_id: null }]) {
			expect(rawItem(raw, ID)).toEqual({ ...raw, task_id: ID });
		}
		expect(rawItem({ a: 1 })).toEqual({ a: 1 });
	});

	it('never has an error at its top, for which older n8n runs a node again', () => {
		expect(rawItem({ error: null, a: { error: 1 } })).toEqual({ a: { error: 1 } });
	});
});

describe('a reading of a task', () => {
	it('tells everything of the documented example', () => {
		expect(read(DATA)).toEqual({
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
		const more = { ...DATA, status: 'Completed', extra: { kept: true } };
		const request = { ...DATA.request, callback_url: 'https://n8n.example.com/w?seedance_sig=x' };
		expect(read({ ...more, request })).toMatchObject({ statusWord: 'Completed', raw: more });
		expect(read({ ...more, request })?.raw).toEqual(more);
	});

	it.each([
		['seed-of-somebody-else', undefined],
		[undefined, 'foreign'],
	])('says nothing where the answer is about another task: %p, %p', (task_id, taskId) => {
		expect(read({ ...DATA, task_id, taskId })).toBeUndefined();
	});

	it('knows its task by a number, by another name, and where the answer repeats no ID', () => {
		expect(read({ ...DATA, task_id: 42 }, '42')?.taskId).toBe('42');
		expect(read({ ...DATA, task_id: '', taskId: ID })?.taskId).toBe(ID);
		expect(read({ ...DATA, task_id: undefined })?.taskId).toBe(ID);
	});

	it.each([undefined, null, 'x', 1, [], {}, { task_id: ID }, { status: '' }, { status: {} }])(
		'is none where there is no status: %j',
		(data) => {
			expect(read(data)).toBeUndefined();
		},
	);

	it.each([{ response: [VIDEO, 'https://b'] }, { response: VIDEO }, ...forms.videos])(
		'finds the first video by what its name speaks of: %j',
		(form) => {
			expect(taskOf({ status: 'SUCCESS', ...form }).videoUrl).toBe(VIDEO);
		},
	);

	it.each(forms.noVideos)('takes nothing else for the video: %j', (form) => {
		const none = { state: 'succeeded', videoUrl: null };
		expect(taskOf({ status: 'SUCCESS', ...form })).toMatchObject(none);
	});

	it.each(forms.reasons)('of a failed task shows the reason wherever it stands: %j', (form) => {
		expect(taskOf({ status: 'FAILED', ...form }).errorMessage).toBe('why');
	});

	it.each([
		[{ status: 'FAILED', request: { message: 'a cat', error: 'a dog' } }, null],
		[{ status: 'RUNNING', message: 'in the queue' }, null],
		[{ status: 'FAILED', error_message: '<html><body>502</body></html>' }, null],
		[{ status: 'FAILED', error_message: `key ${OWNER} has no quota` }, 'key *** has no quota'],
		[{ ...DATA, error_message: '' }, null],
		[{ ...DATA, error_message: {} }, null],
	])('makes no reason of anything else, and shows no key: %j', (data, reason) => {
		expect(taskOf(data).errorMessage).toBe(reason);
	});

	it.each([
		['28', 28],
		[0, 0],
		[null, null],
	])('gives the credits %j as %j, unknown as null', (consumed_credits, credits) => {
		expect(taskOf({ ...DATA, consumed_credits }).consumedCredits).toBe(credits);
	});

	it.each([
		[{ ...DATA.request, generate_audio: true }, 56],
		[{ prompt: 'x' }, null],
		[undefined, null],
	])('estimates by the price table from the echo of the request %j', (request, credits) => {
		expect(taskOf({ ...DATA, request }).estimatedCredits).toBe(credits);
	});

	it('never throws, whatever the API sends', () => {
		const any = fc.jsonValue();
		fc.assert(
			fc.property(any, any, any, (status, request, response) => {
				const task = read({ status, request, response });
				if (task) expect(Object.keys(taskItem(task))).toEqual(Object.keys(ITEM));
			}),
		);
	});
});

describe('the item of a task', () => {
	const DOG = { taskId: ID, prompt: 'a dog', estimatedCredits: 56 };

	it('has a fixed shape, with null instead of absent', () => {
		expect(taskItem(taskOf(DATA))).toEqual(ITEM);
		const unknown = { task_id: ID, status: 'IN_PROGRESS', finished: false, succeeded: false };
		expect(taskItem(taskOf({ status: 'x' }))).toEqual({ ...NOTHING, ...unknown });
	});

	it.each([
		['queued', 'IN_PROGRESS', false, false],
		['succeeded', 'SUCCESS', true, true],
		['Completed', 'SUCCESS', true, true],
		['EXPIRED', 'FAILED', true, false],
		['cancelled', 'FAILED', true, false],
	])('normalises "%s" to %s', (word, status, finished, succeeded) => {
		const item = taskItem(taskOf({ ...DATA, status: word }));
		expect(item).toMatchObject({ status, finished, succeeded });
	});

	it('has not succeeded without a video, and tells why it failed without an `error` key', () => {
		const empty = { status: 'SUCCESS', finished: true, succeeded: false, video_url: null };
		expect(taskItem(taskOf({ ...DATA, response: [] }))).toMatchObject(empty);
		const failed = taskItem(taskOf({ status: 'FAILED', error_message: 'NSFW content' }));
		expect(failed.error_message).toBe('NSFW content');
		expect(failed).not.toHaveProperty('error');
	});

	it.each([
		// What the API does not repeat is filled in from the request.
		[{ status: 'IN_PROGRESS' }, DOG, 'a dog', 56],
		// The documented echo leaves out the audio, which doubles the price; its prompt is the one in use.
		[DATA, DOG, 'a cat', 56],
		[DATA, { ...DOG, prompt: null, estimatedCredits: null }, 'a cat', 28],
	])('of %j goes by the API’s prompt and by the estimate of %j', (data, seed, prompt, credits) => {
		expect(taskItem(taskOf(data), seed)).toMatchObject({ prompt, estimated_credits: credits });
	});

	it('of a task that was not read is in progress, and of none at its end without a status', () => {
		const filled = { ...NOTHING, task_id: ID, prompt: 'a dog', estimated_credits: 56 };
		const running = { status: 'IN_PROGRESS', finished: false, succeeded: false };
		expect(unreadTaskItem(DOG)).toEqual({ ...filled, ...running });
		const none = { task_id: null, status: null, finished: true, succeeded: false };
		expect(unreadTaskItem({ ...DOG, taskId: null }, false)).toEqual({ ...filled, ...none });
	});
});
