// What the editor offers and the check lets through, against the sandbox's own reading of the contract: neither allows
// what the other refuses, and both ask the same price.
import { NodeHelpers, type INodeParameters } from 'n8n-workflow';

import { Seedance } from '../../nodes/Seedance/Seedance.node';
import { creditsOf, MODELS, type Model } from '../../nodes/shared/task/models';
import {
	checkVideoRequest,
	PARAMETER_NAMES,
	requestBody,
	settingsOf,
	type RawFields,
} from '../../nodes/shared/task/request';
import { checkBodyV1, FIELDS_V1, termsOfV1 } from '../sandbox/contractV1.cjs';
import { checkBodyV2, FIELDS_V2, termsOfV2 } from '../sandbox/contractV2.cjs';
import * as fc from '../support/fastCheck.cjs';
import { nodeWith } from '../support/node';

const { description } = new Seedance();
const PROMPT = 'A paper boat';

/** The credits that the sandbox takes for a body, or the code that it refuses it with. */
function sandboxVerdict(version: string, body: unknown): number | string {
	if (version === 'v1') {
		const verdict = checkBodyV1(body);
		return 'order' in verdict ? termsOfV1(verdict.order).credits : verdict.refused;
	}
	const verdict = checkBodyV2(body);
	return 'order' in verdict ? termsOfV2(verdict.order).credits : verdict.refused;
}

/** The values of the fields that the editor shows for a model, beside an image or without one. */
function offered(model: string, imageSource: string): Map<string, unknown[]> {
	const { properties } = description;
	const chosen: INodeParameters = { operation: 'generate', model, imageSource };
	const node = nodeWith(chosen);
	const filled = NodeHelpers.getNodeParameters(properties, chosen, true, false, node, description);
	const shown = properties.filter((field) =>
		NodeHelpers.displayParameter(filled ?? {}, field, node, description),
	);
	const values = shown.map(({ name, type, options = [] }): [string, unknown[]] => [
		name,
		type === 'boolean'
			? [false, true]
			: options.flatMap((one) => ('value' in one ? one.value : [])),
	]);
	const names = ['aspectRatio', 'resolution', 'duration', 'generateAudio', 'fixedLens', 'public'];
	return new Map(values.filter(([name]) => names.includes(name)));
}

const links = (count: number, end: string) =>
	Array.from({ length: count }, (_, index) => `https://files.example.com/${index}.${end}`);

/** Every combination of one value of each field. */
const combined = (fields: ReadonlyMap<string, unknown[]>): RawFields[] =>
	[...fields].reduce<RawFields[]>(
		(all, [name, values]) =>
			all.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))),
		[{}],
	);

describe.each(MODELS)('$label', (model) => {
	it.each(['none', 'url'])('the API takes all that the editor offers, image: %s', (imageSource) => {
		const images = imageSource === 'url' ? links(model.maxImages, 'png') : undefined;
		const all = combined(offered(model.value, imageSource));
		expect(all.length).toBeGreaterThan(5);
		for (const chosen of all) {
			for (const referenceVideos of model.maxReferenceVideos ? ['', links(3, 'mp4')] : ['']) {
				const fields = { ...chosen, referenceVideos, ...(images && { imageUrl: images }) };
				const checked = checkVideoRequest(
					{ prompt: PROMPT, model: model.value, ...fields },
					'internet',
				);
				if (!checked.ok) throw new Error(checked.problems.join(' '));
				const body: unknown = JSON.parse(JSON.stringify(requestBody(checked.value)));
				expect(sandboxVerdict(model.version, body)).toBe(creditsOf(settingsOf(checked.value)));
			}
		}
	});
});

/** By field, a value other than its default, for a model that takes it. */
const OTHER_VALUES: Readonly<Record<string, RawFields>> = {
	model: { model: 'seedance-2.0' },
	prompt: { prompt: 'A tin boat' },
	aspectRatio: { aspectRatio: '16:9' },
	resolution: { resolution: '480p' },
	duration: { duration: 4 },
	generateAudio: { generateAudio: true },
	fixedLens: { fixedLens: true },
	public: { model: 'seedance-2.0', public: true },
	referenceVideos: { model: 'seedance-2-mini', referenceVideos: links(1, 'mp4').join() },
};

it('every field changes the request, in a way that the API knows', () => {
	const bodyOf = (fields: RawFields) => {
		const checked = checkVideoRequest({ prompt: PROMPT, ...fields }, 'internet');
		if (!checked.ok) throw new Error(checked.problems.join(' '));
		return requestBody(checked.value);
	};
	expect(Object.keys(OTHER_VALUES).sort()).toEqual([...PARAMETER_NAMES].sort());
	for (const [name, { model = MODELS[0].value, ...fields }] of Object.entries(OTHER_VALUES)) {
		const body = bodyOf({ model, ...fields });
		const unchanged = bodyOf(name === 'model' ? {} : { model });
		expect([name, body]).not.toEqual([name, unchanged]);
		const known = model === MODELS[0].value ? FIELDS_V1 : FIELDS_V2;
		expect([name, Object.keys(body).filter((one) => !known.includes(one))]).toEqual([name, []]);
	}
});

/** A request as a person means it, in the words of the node and, nothing tidied, in those of the API. */
interface Meant {
	raw: RawFields;
	body: Record<string, unknown>;
}

function meant(model: Model, wanted: Settings): Meant {
	const { duration, ratio, resolution, images, references, isOn } = wanted;
	const isV1 = model.version === 'v1';
	const [imageUrls, videoUrls] = [links(images, 'png'), links(references, 'mp4')];
	return {
		raw: {
			prompt: PROMPT,
			model: model.value,
			duration,
			aspectRatio: ratio,
			resolution,
			...(images && { imageUrl: imageUrls }),
			referenceVideos: videoUrls.join(', '),
			...(isV1 ? { generateAudio: isOn, fixedLens: isOn } : { public: isOn }),
		},
		body: {
			prompt: PROMPT,
			...(!isV1 && { model: model.value }),
			duration: isV1 ? String(duration) : duration,
			...(ratio !== undefined && (isV1 || images === 0) && { aspect_ratio: ratio }),
			...(resolution !== undefined && { resolution }),
			...(images && { [isV1 ? 'image_urls' : 'images']: imageUrls }),
			...(references && { reference_video_urls: videoUrls }),
			...(isV1 ? { generate_audio: isOn, fixed_lens: isOn } : { public: isOn }),
		},
	};
}

const RATIOS = ['9:16', '16:9', '1:1', '3:4', '4:3', '21:9', '9:21', '2:1'];
interface Settings {
	duration: number;
	ratio: string | undefined;
	resolution: string | undefined;
	images: number;
	references: number;
	isOn: boolean;
}
const settings: fc.Arbitrary<Settings> = fc.record({
	duration: fc.constantFrom(1, 3, 4, 5, 6, 8, 10, 12, 13, 15, 16),
	ratio: fc.constantFrom(undefined, ...RATIOS),
	resolution: fc.constantFrom(undefined, '480p', '720p', '2160p'),
	images: fc.constantFrom(0, 0, 1, 2, 4, 5),
	references: fc.constantFrom(0, 0, 1, 3, 4),
	isOn: fc.boolean(),
});

it('what the check lets through the API takes, and what it refuses the API refuses', () => {
	const seen = { taken: 0, refused: 0 };
	fc.assert(
		fc.property(fc.constantFrom(...MODELS), settings, (model, wanted) => {
			// A field that version 1 does not have is passed over there, and a ratio beside an image is not sent.
			fc.pre(model.version === 'v2' || wanted.references === 0);
			fc.pre(model.hasRatioWithImage || wanted.images === 0 || wanted.ratio === undefined);
			const { raw, body } = meant(model, wanted);
			const checked = checkVideoRequest(raw, 'internet');
			const verdict = sandboxVerdict(model.version, body);
			expect([wanted, checked.ok]).toEqual([wanted, typeof verdict === 'number']);
			if (checked.ok) expect(creditsOf(settingsOf(checked.value))).toBe(verdict);
			seen[checked.ok ? 'taken' : 'refused']++;
		}),
		{ numRuns: 3000 },
	);
	expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(50);
});
