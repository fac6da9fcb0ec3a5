/** Highlighted data: the IDs of an execution's videos, as n8n keeps them when it is stopped. */
import type { IExecuteFunctions } from 'n8n-workflow';

import { highlight } from '../../nodes/Seedance/run/highlightedData';

/** n8n's store: ten values, of 512 characters, and a complaint in the log beyond 255. */
function store(own: Record<string, string> = {}) {
	const values = new Map(Object.entries(own));
	const warnings: string[] = [];
	const customData = {
		get: (key: string) => values.get(key),
		set: (key: string, value: string) => {
			if (!/^[\p{L}\p{N}_]{1,50}$/u.test(key)) throw new Error(`Not a key: ${key}`);
			if (value.length > 255) warnings.push(`too long: ${key}`);
			if (values.has(key) || values.size < 10) values.set(key, value.slice(0, 512));
		},
	};
	const logger = { warn: (text: string) => warnings.push(text) };
	const context = { customData, logger } as unknown as IExecuteFunctions;
	const tasks = () =>
		[...values]
			.filter(([key]) => key.startsWith('seedance_tasks'))
			.flatMap(([, value]) => value.split(', '));
	return { context, values, warnings, tasks };
}

const ids = (count: number) => Array.from({ length: count }, (_, n) => `seed15${1e12 + n}pro`);

describe('the highlighted data of an execution', () => {
	it.each([1, 2, 11, 12, 30, 50])(
		'holds the IDs of %i videos, in order, and their credits',
		(count) => {
			const { context, values, warnings, tasks } = store();
			for (const id of ids(count)) highlight(context, id, 8);
			expect(tasks()).toEqual(ids(count));
			expect(values.get('seedance_credits')).toBe(String(8 * count));
			expect(warnings).toEqual([]);
		},
	);

	it('holds the newest where there is no room for all', () => {
		const { context, values, tasks, warnings } = store();
		const all = ids(200);
		for (const id of all) highlight(context, id, 8);
		expect(tasks().at(-1)).toBe(all.at(-1));
		expect(tasks().slice(0, 11)).toEqual(all.slice(0, 11));
		expect(values.get('seedance_tasks_5')).toMatch(/^… seed15/);
		expect(warnings).toEqual([]);
	});

	it("leaves the user's own values alone, and keeps the newest ID beside them", () => {
		const own = Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8].map((n) => [`own_${n}`, 'mine']));
		const { context, values, tasks } = store(own);
		for (const id of ids(30)) highlight(context, id, 8);
		expect(values.size).toBe(10);
		expect(Object.fromEntries(values)).toMatchObject(own);
		expect(tasks().at(-1)).toBe(ids(30).at(-1));
		expect(values.get('seedance_credits')).toBe('240');
	});

	it('never ends a run: the video is paid for already', () => {
		const { context, warnings } = store();
		const set = () => {
			throw new Error('full');
		};
		expect(() =>
			highlight({ ...context, customData: { get: () => undefined, set } } as never, 'seed15a', 8),
		).not.toThrow();
		expect(warnings).toEqual(['Seedance could not add to the highlighted data: full']);
	});

	it('is found where expressions find it, on n8n that has no other way', () => {
		const { context, values } = store();
		const { customData, logger } = context as unknown as { customData: object; logger: object };
		const getWorkflowDataProxy = () => ({ $execution: { customData } });
		highlight({ logger, getWorkflowDataProxy } as never, 'seed15a', 8);
		expect(Object.fromEntries(values)).toEqual({
			seedance_tasks: 'seed15a',
			seedance_credits: '8',
		});
	});

	it.each([
		['no execution', () => ({})],
		['an execution without it', () => ({ $execution: {} })],
		['something else in its place', () => ({ $execution: { customData: 'x' } })],
	])('costs no paid result where n8n tells %s', (_name, getWorkflowDataProxy) => {
		const { context, warnings } = store();
		const { logger } = context;
		expect(() => highlight({ logger, getWorkflowDataProxy } as never, 'seed15a', 8)).not.toThrow();
		expect(warnings).toEqual([]);
	});

	it('leaves all ten values of the user alone where there are so many', () => {
		const own = Object.fromEntries(ids(10).map((id) => [id, 'mine']));
		const { context, values } = store(own);
		highlight(context, 'seed15a', 8);
		expect(Object.fromEntries(values)).toEqual(own);
	});

	it('is never cut inside of a character', () => {
		const { context, values, warnings } = store();
		highlight(context, `${'x'.repeat(252)}🙂🙂`, 8);
		for (let list = 2; list < 20; list++) highlight(context, `${'x'.repeat(252)}🙂🙂`, 8);
		for (const value of values.values()) {
			expect(value).not.toMatch(/[\ud800-\udbff](?![\udc00-\udfff])/);
		}
		expect(warnings).toEqual([]);
	});
});
