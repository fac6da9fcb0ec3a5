/** Highlighted data: the IDs of an execution's videos, as n8n keeps them when it is stopped. */
import type { IExecuteFunctions } from 'n8n-workflow';

import { highlight } from '../../nodes/Seedance/run/highlightedData';

const ids = (count: number) => Array.from({ length: count }, (_, n) => `seed15${1e12 + n}pro`);

/** n8n's store: ten values, of 512 characters, and a complaint in the log beyond 255. */
function store(own: Record<string, string> = {}, parts?: (customData: object) => object) {
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
	const context = { ...(parts?.(customData) ?? { customData }), logger };
	const tasks = () =>
		[...values]
			.filter(([key]) => key.startsWith('seedance_tasks'))
			.flatMap(([, value]) => value.split(', '));
	const add = (...all: string[]) => {
		for (const id of all) highlight(context as unknown as IExecuteFunctions, id, 8);
	};
	return { add, values, warnings, tasks };
}

describe('the highlighted data of an execution', () => {
	it.each([1, 2, 11, 12, 30, 50])('hold %i IDs of videos, in order, and their credits', (count) => {
		const { add, values, warnings, tasks } = store();
		add(...ids(count));
		expect(tasks()).toEqual(ids(count));
		expect(values.get('seedance_credits')).toBe(String(8 * count));
		expect(warnings).toEqual([]);
	});

	it('hold the newest where there is no room for all', () => {
		const { add, values, tasks, warnings } = store();
		add(...ids(200));
		expect(tasks().at(-1)).toBe(ids(200).at(-1));
		expect(tasks().slice(0, 11)).toEqual(ids(11));
		expect(values.get('seedance_tasks_5')).toMatch(/^… seed15/);
		expect(warnings).toEqual([]);
	});

	it.each([8, 10])("leave the user's own %i values alone, and hold the newest ID too", (count) => {
		const own = Object.fromEntries(ids(count).map((id) => [id, 'mine']));
		const { add, values, tasks } = store(own);
		add(...ids(30));
		expect(Object.fromEntries(values)).toMatchObject(own);
		expect(values.size).toBe(10);
		expect(tasks().at(-1)).toBe(count === 8 ? ids(30).at(-1) : undefined);
		expect(values.get('seedance_credits')).toBe(count === 8 ? '240' : undefined);
	});

	it('are found in the workflow data where the context has none', () => {
		const { add, values } = store({}, (customData) => ({
			getWorkflowDataProxy: () => ({ $execution: { customData } }),
		}));
		add('seed15a');
		expect([...values]).toEqual([
			['seedance_tasks', 'seed15a'],
			['seedance_credits', '8'],
		]);
	});

	it('never end a run, where n8n reports nothing or fails: the video is paid for already', () => {
		for (const data of [{}, { $execution: {} }, { $execution: { customData: 'x' } }]) {
			const { add, warnings } = store({}, () => ({ getWorkflowDataProxy: () => data }));
			expect(() => add('seed15a')).not.toThrow();
			expect(warnings).toEqual([]);
		}
		const set = () => {
			throw new Error('full');
		};
		const { add, warnings } = store({}, (customData) => ({ customData: { ...customData, set } }));
		expect(() => add('seed15a')).not.toThrow();
		expect(warnings.join()).toContain('full');
	});

	it('are never cut inside of a character', () => {
		const { add, values, warnings } = store();
		add(...Array(19).fill(`${'x'.repeat(252)}🙂🙂`));
		for (const value of values.values()) {
			expect(value).not.toMatch(/[\ud800-\udbff](?![\udc00-\udfff])/);
		}
		expect(warnings).toEqual([]);
	});
});
