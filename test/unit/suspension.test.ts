/** What n8n has stored of a suspended node, in the forms that it may have, and the address that resumes it. */
import type { IExecuteFunctions, IWebhookFunctions } from 'n8n-workflow';

import {
	reEnableNode,
	storedContext,
	storedReadings,
} from '../../nodes/Seedance/pause/n8nSuspension';
import { resumeUrlOf } from '../../nodes/Seedance/pause/resumeAddress';

const INPUT = [{ json: { prompt: 'a' } }];
const webhook = (executeData?: unknown) => ({ executeData }) as unknown as IWebhookFunctions;

describe('a suspended node', () => {
	it('is enabled again, with its own input and what the callback has read', () => {
		const node = { disabled: true };
		const given = reEnableNode(webhook({ node, data: { main: [[], INPUT] } }), [{ task_id: 'a' }]);
		expect(given).toEqual([INPUT, [{ json: { task_id: 'a' } }]]);
		expect(node.disabled).toBe(false);
	});

	it.each([
		[undefined],
		['text'],
		[{ node: {} }],
		[{ node: {}, data: { main: 'x' } }],
		[{ node: {}, data: { main: [[]] } }],
		[{ node: {}, data: { main: [[], [{ json: 'x' }]] } }],
		[{ data: { main: [[], INPUT] } }],
	])('of another form is left alone: %j', (executeData) => {
		expect(reEnableNode(webhook(executeData), [])).toBeUndefined();
		expect(reEnableNode({} as unknown as IWebhookFunctions, [])).toBeUndefined();
	});

	it.each([
		[{ main: [INPUT, [{ json: { id: 1 } }]] }, [{ id: 1 }]],
		[{ main: [INPUT] }, []],
		[{}, []],
	])('has stored readings in %j', (data, readings) => {
		const context = { getExecuteData: () => ({ data }) } as unknown as IExecuteFunctions;
		expect(storedReadings(context)).toEqual(readings);
	});

	it('has a context under its name, whatever that is', () => {
		const asked: string[] = [];
		const contextWith = (found: unknown) =>
			({
				getNode: () => ({ name: 'A {"node"}' }),
				evaluateExpression: (expression: string) => {
					asked.push(expression);
					return found;
				},
			}) as unknown as IWebhookFunctions;
		expect(storedContext(contextWith({ a: 1 }))).toEqual({ a: 1 });
		expect(storedContext(contextWith('none'))).toEqual({});
		expect(asked[0]).toBe('{{ $node["A \\u007b\\"node\\"\\u007d"].context }}');
	});
});

it.each([
	[
		'https://n8n.example.com/webhook-waiting/7?signature=x',
		'seg',
		'/webhook-waiting/7/seg?signature=x',
	],
	['https://n8n.example.com/webhook-waiting/7/', 'seg', '/webhook-waiting/7/seg'],
	[undefined, undefined, '/'],
])('the address %p is resumed at %p: %s', (url, segment, end) => {
	const values = [url, segment];
	const context = { evaluateExpression: () => values.shift() } as unknown as IExecuteFunctions;
	expect(resumeUrlOf(context).replace('https://n8n.example.com', '')).toBe(end);
});
