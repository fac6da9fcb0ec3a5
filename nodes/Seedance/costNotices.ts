/**
 * The price of the chosen settings, shown below them before anything runs. One static text for each price, because n8n
 * evaluates no text of a field; displayOptions choose the one that applies.
 */
import type { INodeProperties } from 'n8n-workflow';

import { creditsFor } from '../shared/pricing';
import { DURATIONS, RESOLUTIONS } from '../shared/videoRequest';

/** One notice for each combination of resolution, duration and audio, shown in these operations. */
export const costNotices = (operations: string[]): INodeProperties[] =>
	RESOLUTIONS.flatMap((resolution) =>
		DURATIONS.flatMap((duration) =>
			[false, true].map(
				(generateAudio): INodeProperties => ({
					displayName: `Each video with these settings costs ${creditsFor(resolution, duration, generateAudio)} credits`,
					name: 'costNotice',
					type: 'notice',
					default: '',
					displayOptions: {
						show: {
							resource: ['video'],
							operation: operations,
							resolution: [resolution],
							duration: [duration],
							generateAudio: [generateAudio],
						},
					},
				}),
			),
		),
	);
