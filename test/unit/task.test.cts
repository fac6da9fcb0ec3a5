/** A task as the API reports it, and the item that the nodes give out. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import * as tasks from '../../nodes/shared/task/task';
import { rawItem, taskItem, unreadTaskItem } from '../../nodes/shared/task/taskItem';
import forms from '../fixtures/taskForms.json';
import * as fc from '../support/fastCheck.cjs';

const { isTaskId, stateOf } = tasks;

const ID = 'seed15abc123def456pro';
/** Stands for the account's key. */
const OWNER = 'sk-seedance-0123456789';
const DATA = forms.documented;
/** The item of it. */
const ITEM = {
	task_id: ID,
	status: 'SUCCESS',
	finished: true,
	succeeded: true,
	video_url: DATA.response[0],
	model: 'seedance-v1',
	prompt: 'a cat',
	consumed_credits: 28,
	estimated_credits: 28,
	created_at: '2026-02-07T10:30:00Z',
	reused: false,
	error_message: null,
};
const NOTHING = {
	...Object.fromEntries(Object.keys(ITEM).map((name) => [name, null])),
	reused: false,
};

const read = (data: unknown, taskId = ID) => tasks.readTask(taskId, data, OWNER, 'v1');
/** The reading of data that is a state of the task. */
function taskOf(data: object) {
	const task = read(data);
	if (!task) throw new Error('not read');
	return task;
}

describe('the state behind a status word', () => {
	it.each(Object.entries(forms.words))('is %s for %j, in any case', (state, words) => {
		for (const word of words) {
			const capital = ` ${word[0]}${word.slice(1).toLowerCase()} `;
			expect([word, word.toLowerCase(), capital].map(stateOf)).toEqual([state, state, state]);
		}
	});

	it('is never an end that the API did not name', () => {
		const ends = [...forms.words.succeeded, ...forms.words.failed];
		fc.assert(
			fc.property(fc.string(), (word) => {
				fc.pre(!ends.includes(word.trim().toUpperCase()));
				expect(stateOf(word)).toBe('running');
			}),
		);
	});

	// A success without its video has not ended: that may still come.
	it.each<unknown[]>(forms.ends)('%s with %j: has ended %p, has a video %p', (...row) => {
		const [status, response, hasEnded, hasVideo] = row;
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
	it('shows everything of the documented example', () => {
		expect(read(DATA)).toEqual({
			taskId: ID,
			state: 'succeeded',
			statusWord: 'SUCCESS',
			videoUrl: DATA.response[0],
			model: 'seedance-v1',
			prompt: 'a cat',
			consumedCredits: 28,
			estimatedCredits: 28,
			createdAt: '2026-02-07T10:30:00Z',
			errorMessage: null,
			raw: DATA,
		});
	});

	it.each(forms.readings)('shows $shows: $data', ({ data, task }) => {
		expect(taskOf(data)).toMatchObject(task);
		expect(JSON.stringify(taskOf(data).raw)).not.toMatch(/callback_url|seedance_sig/);
	});

	it('keeps the API’s own JSON in Raw', () => {
		const more = { ...DATA, extra: { kept: true } };
		const request = { ...DATA.request, callback_url: 'https://n8n.example.com/w?seedance_sig=x' };
		expect(read({ ...more, request })?.raw).toEqual(more);
	});

	it.each([undefined, ...forms.unread])(
		'is none without a status, nor of another task: %j',
		(data) => {
			expect(read(data)).toBeUndefined();
		},
	);

	it('knows its task by a number', () => {
		expect(read({ ...DATA, task_id: 42 }, '42')?.taskId).toBe('42');
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
	const DOG = { taskId: ID, model: 'seedance-2.0', prompt: 'a dog', estimatedCredits: 56 };

	it('has a fixed shape, with null instead of absent', () => {
		expect(taskItem(taskOf(DATA))).toEqual(ITEM);
		const unknown = { task_id: ID, status: 'IN_PROGRESS', finished: false, succeeded: false };
		const model = 'seedance-v1';
		expect(taskItem(taskOf({ status: 'x' }))).toEqual({ ...NOTHING, model, ...unknown });
	});

	it.each(forms.items)('$name', ({ data, seed, item }) => {
		expect(taskItem(taskOf(data), seed)).toMatchObject(item);
	});

	it('shows why it failed without an `error` key', () => {
		const failed = taskItem(taskOf({ status: 'FAILED', error_message: 'NSFW content' }));
		expect(failed.error_message).toBe('NSFW content');
		expect(failed).not.toHaveProperty('error');
	});

	it('of a task that was not read is in progress, and of none at its end without a status', () => {
		const { model } = DOG;
		const filled = { ...NOTHING, task_id: ID, model, prompt: 'a dog', estimated_credits: 56 };
		const running = { status: 'IN_PROGRESS', finished: false, succeeded: false };
		expect(unreadTaskItem(DOG)).toEqual({ ...filled, ...running });
		const none = { task_id: null, status: null, finished: true, succeeded: false };
		expect(unreadTaskItem({ ...DOG, taskId: null }, false)).toEqual({ ...filled, ...none });
	});
});

it('the list of status words stands in one file only', () => {
	const root = join(__dirname, '..', '..', 'nodes');
	// Words that the API alone uses, as text or in a pattern; the nodes' own are "succeeded" and "failed".
	const words =
		/\b(succeed|completed?|finish|finished|done|failure|rejected|cancell?ed|expired)\b/gi;
	const inQuotes = /'[^'\s]*'|\/\^?\([^\s]*\)\/|`[^`\s]*`/g;
	const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
	const withWords = files.filter((name) => {
		if (!name.endsWith('.ts')) return false;
		const texts = readFileSync(join(root, name), 'utf8').match(inQuotes) ?? [];
		return new Set(texts.join(' ').toLowerCase().match(words) ?? []).size > 2;
	});
	expect(withWords).toEqual([join('shared', 'task', 'task.ts')]);
});
