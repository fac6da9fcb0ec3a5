/** The trigger's parameters: whatever an expression gives, a callback is handled by the safe value. */
import type { IExecuteFunctions, IWebhookFunctions } from 'n8n-workflow';

import {
	readEvents,
	readFileField,
	readKeepsList,
	readParameters,
} from '../../nodes/SeedanceTrigger/parameters';

const inWebhook = (values: Record<string, unknown>) =>
	({
		getNodeParameter: (name: string, fallback: unknown) => values[name] ?? fallback,
	}) as unknown as IWebhookFunctions;
const inRun = (values: Record<string, unknown>) =>
	({
		getInputData: () => [],
		getNodeParameter: (name: string, _item: number, fallback: unknown) => values[name] ?? fallback,
	}) as unknown as IExecuteFunctions;

const SAFE = { simplify: true, requireSignature: true, ignoreDuplicates: true };

it.each([
	[{}, SAFE],
	[{ simplify: 'perhaps' }, SAFE],
	[{ 'options.requireSignature': 'perhaps', 'options.ignoreDuplicates': null }, SAFE],
	[{ simplify: false }, { ...SAFE, simplify: false }],
	[{ 'options.requireSignature': 'no' }, { ...SAFE, requireSignature: false }],
	[{ 'options.ignoreDuplicates': false }, { ...SAFE, ignoreDuplicates: false }],
])('with %j', (values, read) => {
	expect(readParameters(inWebhook(values))).toMatchObject(read);
});

it('one event may be a text', () => {
	expect(readEvents(inRun({ events: 'failed' }))).toEqual(['failed']);
	expect(readEvents(inWebhook({ events: ['failed'] }))).toEqual(['failed']);
	expect(readEvents(inRun({}))).toEqual([]);
});

it('the list is updated unless Keep Video List is off, and a file needs Download Video', () => {
	expect([{}, { 'options.videoList': 'x' }].map((one) => readKeepsList(inRun(one)))).toEqual([
		true,
		true,
	]);
	expect(readKeepsList(inRun({ 'options.videoList': false }))).toBe(false);
	expect(readFileField(inRun({}))).toBeUndefined();
	expect(readFileField(inRun({ downloadVideo: true }))).toBe('data');
	expect(readFileField(inRun({ downloadVideo: 'yes', outputBinaryField: 'v' }))).toBe('v');
	expect(readFileField(inRun({ downloadVideo: true, outputBinaryField: {} }))).toBe('data');
});
