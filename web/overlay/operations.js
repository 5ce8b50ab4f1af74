/**
 * What the overlay asks for, by id: the sha256 of the file in `operations/`, byte for byte. An overlay's key may run these and
 * nothing else. A test holds the ids to the files.
 */
export const OVERLAY_EVENTS = '40f61e5954dc301f7de91456a035685684c2494ead6a070b0f01f1b2d3ad85b3';
export const OVERLAY_STREAM = 'a709f4354f9c31e97cd751c50ed91125a5f6c8f204df1af8f5efce8abcc5bca1';
