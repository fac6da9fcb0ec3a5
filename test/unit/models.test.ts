/** What each model takes, the bytes that are sent for it, and its prices by the contract's table. */
import * as models from '../../nodes/shared/task/models';
import {
	checkSettings,
	checkVideoRequest,
	modelOfBody,
	requestBody,
	type RawFields,
} from '../../nodes/shared/task/request';
import bodies from '../fixtures/modelBodies.json';
import modelPrices from '../fixtures/modelPrices.json';

const check = (raw: RawFields) => checkVideoRequest({ prompt: 'a cat', ...raw }, 'internet');

function bytes(raw: RawFields): string {
	const checked = check(raw);
	if (!checked.ok) throw new Error(checked.problems.join(' '));
	return JSON.stringify(requestBody(checked.value));
}

function problemsOf(raw: RawFields): string[] {
	const checked = check(raw);
	return checked.ok ? [] : checked.problems;
}

describe('a request of version 2', () => {
	it.each<unknown[]>(bodies.bytes)('of %s with %j has these bytes', (model, fields, rest) => {
		const raw = { model, ...Object(fields) };
		expect(bytes(raw)).toBe(`{"model":"${model}","prompt":"a cat",${rest}}`);
		expect(modelOfBody(JSON.parse(bytes(raw))).value).toBe(model);
	});

	it.each<unknown[]>(bodies.refused)('of %s with %s %j is refused', (model, field, value, text) => {
		const problems = problemsOf({ model, [String(field)]: value });
		expect(problems).toEqual([expect.stringContaining(String(text))]);
	});

	it.each(models.MODELS)(
		'takes nothing that $label does not have, when it is empty or off',
		(model) => {
			const off = { generateAudio: 'no', fixedLens: false, public: '0', referenceVideos: ' ' };
			const empty = { resolution: null, duration: '', aspectRatio: undefined };
			expect(bytes({ model: model.value, ...off, ...empty })).toBe(bytes({ model: model.value }));
		},
	);
});

it.each([
	['seedance-2-mini', 4, 'holds 4 links; Seedance 2 Mini takes at most 3.'],
	['seedance-2.0', 1, 'Seedance 2.0 has no such setting'],
])('an estimate of %s with %i reference videos is refused', (model, count, text) => {
	const referenceVideos = Array.from({ length: count }, (_, nth) => `https://a.example/${nth}.mp4`);
	expect(checkSettings({ model, referenceVideos })).toEqual({
		ok: false,
		problems: [expect.stringContaining(text)],
	});
});

describe('the name of a model', () => {
	it.each([
		['Seedance 2.0', 'seedance-2.0'],
		[' seedance-2.0-FAST ', 'seedance-2.0-fast'],
		['Seedance 2 Mini', 'seedance-2-mini'],
		['Seedance (API v1)', undefined],
		['seedance-v1', undefined],
		[undefined, undefined],
		['', undefined],
	])('%j is sent as %j', (model, sent) => {
		expect(JSON.parse(bytes({ model })).model).toBe(sent);
	});

	it('that does not exist hides no empty prompt, and no rule of another model is named', () => {
		expect(problemsOf({ model: 'sora', prompt: '', duration: 99 })).toEqual([
			expect.stringContaining('Model "sora"'),
			expect.stringContaining('Prompt is empty'),
		]);
		expect(checkSettings({ model: 'sora', duration: 99 })).toMatchObject({ ok: false });
	});
});

it.each(modelPrices)('the price is that of the contract: %j', ({ credits, ...fields }) => {
	for (const [duration, price] of Object.entries(credits)) {
		const settings = checkSettings({ ...fields, duration });
		expect(settings.ok && models.creditsOf(settings.value)).toBe(price);
	}
	const all = modelPrices.filter(({ model }) => model === fields.model);
	const count = all.reduce((sum, row) => sum + Object.keys(row.credits).length, 0);
	expect(models.modelNamed(fields.model)).toBeDefined();
	const model = models.MODELS.find(({ value }) => value === fields.model);
	expect(model && models.priceSettingsOf(model)).toHaveLength(count);
});
